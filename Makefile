# Everything a developer runs. Each target does its own set-up; nothing needs root or Docker.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
STORES := .work/stores/.installed
ifndef SEED
SEED   := $(shell date +%s)
endif
TESTS  ?= tests
TOOLS  := .work/debian/.asked

.PHONY: help setup demo test test-cluster torture lint format bench bench-sandbox bench-generated golden docs lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  \1\t/' | expand -t 18

setup: $(STAMP) ## make the virtual environment with locked, hashed dependencies

$(STAMP): requirements-dev.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "zenctl needs Python 3.11 or newer; name one with: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Programs of Debian's packages that some tests need; where they cannot be had, those tests are skipped by name.
$(TOOLS): tests/debian.py | $(STAMP)
	@$(BIN)/python -m tests.debian age zstd
	@mkdir -p $(@D) && touch $@

# Object stores to test against. They have environments of their own, since moto's libraries and ours conflict; the
# server for az:// needs node and npm, and its tests are skipped by name without.
$(STORES): tests/blob/requirements-moto.txt tests/blob/azurite/package-lock.json | $(STAMP)
	@mkdir -p $(@D)/azurite
	$(PYTHON) -m venv --clear $(@D)/moto
	$(@D)/moto/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/blob/requirements-moto.txt
	cp tests/blob/azurite/package*.json $(@D)/azurite
	if command -v npm >/dev/null && npm ci --prefix $(@D)/azurite --ignore-scripts --no-audit --no-fund --loglevel=error; \
	then touch $(@D)/azurite/.installed; else echo "azurite could not be installed (it needs npm): the tests of az:// will be skipped"; fi
	@touch $@

demo: $(STAMP) ## see it all on an embedded cluster, in under a minute
	@$(BIN)/python -m tests.demo

test: $(STAMP) $(TOOLS) $(STORES) ## the whole suite that needs no cluster
	$(BIN)/python -m pytest $(TESTS) -n auto --dist loadfile -m 'not cluster and not torture'

test-cluster: $(STAMP) ## the suite on a real API server (KUBEBUILDER_ASSETS or ZENCTL_TEST_KUBECONFIG)
	$(BIN)/python -m pytest $(TESTS) -m 'cluster and not torture'

torture: $(STAMP) $(TOOLS) $(STORES) ## the long fault suites; SEED=n repeats a run, FRACTION=0.1 takes a seeded part
	@echo "seed $(SEED)"
	ZENCTL_TORTURE_SEED=$(SEED) ZENCTL_TORTURE_FRACTION=$(or $(FRACTION),1) $(BIN)/python -m pytest $(TESTS) -m torture

lint: $(STAMP) ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## the budgets, side by side with the alternatives: on a real API server, then up to a million made up
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.generated

bench-sandbox: $(STAMP) ## what the embedded cluster does with many objects
	$(BIN)/python -m tests.bench.sandbox

bench-generated: $(STAMP) ## memory and own work of a backup of up to a million objects
	$(BIN)/python -m tests.bench.generated

golden: $(STAMP) $(TOOLS) $(STORES) ## renew the golden files after a deliberate change of output
	ZENCTL_GOLDEN=renew $(BIN)/python -m pytest $(TESTS) -n auto --dist loadfile -m 'not cluster and not torture'

docs: $(STAMP) ## write the generated pages of docs/
	$(BIN)/python -m tests.docs_pages

lock: $(STAMP) ## renew the lock files
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --quiet -o requirements-dev.lock
	$(BIN)/uv pip compile tests/blob/requirements-moto.in --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --quiet -o tests/blob/requirements-moto.txt
	cd tests/blob/azurite && npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

clean: ## remove everything that can be made again
	rm -rf $(VENV) .work .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
