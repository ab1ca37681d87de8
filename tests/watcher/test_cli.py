"""The parsers by hand: arguments, streams and exit codes of the real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.watcher.samples import DATA
from watcher.__main__ import main
from watcher.sources.registry import PARSERS

VULNERABILITY = DATA / "trivy" / "dd-vulnerabilityreport_single_vuln.json"
POLICY = DATA / "kyverno" / "web-reports-3.yaml"
MALFORMED = b'[{"kind": "VulnerabilityReport", "metadata": {"name": "bad"}, "report": {}}, %s, {"kind": "Pod"}]'
PROGRAMS = {"module": ["-m", "watcher.sources"], "zen-watcher": ["-m", "watcher", "parse"]}


def run(*arguments: str, data: bytes = b"", program: str = "module") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, *PROGRAMS[program], *arguments], input=data, capture_output=True, check=False
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("program", PROGRAMS)
def test_reports_become_a_list_of_observations(program):
    code, out, err = run("trivy", data=VULNERABILITY.read_bytes(), program=program)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    assert [item["metadata"]["name"] for item in found["items"]] == ["trivy-7a49b269f67386020967"]


@pytest.mark.parametrize("path", [VULNERABILITY, POLICY], ids=["trivy", "kyverno"])
def test_every_output_says_the_same(path: Path):
    source = path.parent.name
    items = json.loads(run(source, data=path.read_bytes())[1])["items"]
    lines = run(source, "-o", "jsonl", data=path.read_bytes())[1].splitlines()
    documents = run(source, "--output", "yaml", data=path.read_bytes())[1]
    assert len(items) == 1
    assert [json.loads(line) for line in lines] == items
    assert list(yaml.safe_load_all(documents)) == items


def test_nothing_found_is_an_empty_list():
    assert run("trivy", data=b"[]") == (0, '{\n  "apiVersion": "v1",\n  "kind": "List",\n  "items": []\n}\n', "")
    assert run("trivy", "-o", "yaml", data=b"[]") == (0, "", "")


def test_what_is_no_report_is_named_and_passed_over():
    code, out, err = run("kyverno", data=VULNERABILITY.read_bytes())
    assert code == 0
    assert json.loads(out)["items"] == []
    assert (
        err
        == "passed over: VulnerabilityReport default/replicaset-nginx-deployment-965685897-nginx: no policy report\n"
    )


def test_a_malformed_report_is_named_and_the_others_are_read():
    code, out, err = run("trivy", "-o", "jsonl", data=MALFORMED % VULNERABILITY.read_bytes())
    assert code == 3
    assert len(out.splitlines()) == 1
    assert err.splitlines() == [
        "error: VulnerabilityReport bad: report.vulnerabilities is missing",
        "passed over: Pod (without a name): no report of Trivy",
    ]


def test_the_log_of_a_job_of_kube_bench_is_read():
    log = b"I0101 starting\n" + (DATA / "kube-bench" / "wg-cis-1.6-full.json").read_bytes() + b"\ndone\n"
    code, out, err = run("kube-bench", "-o", "jsonl", data=log)
    assert (code, len(out.splitlines()), err) == (0, 36, "")
    code, _, err = run("kube-bench", data=b"[INFO] 1 Master Node\n[PASS] a: b: c")
    assert (code, err) == (
        2,
        "error: the log holds no JSON: the tool failed, or wrote text (kube-bench needs --json)\n",
    )


@pytest.mark.parametrize("source", PARSERS)
def test_every_source_can_be_read_by_hand(source):
    path = max((DATA / source).iterdir(), key=lambda entry: entry.stat().st_size)
    code, out, err = run(source, "-o", "jsonl", data=path.read_bytes())
    assert code == 0, err
    assert {json.loads(line)["spec"]["source"] for line in out.splitlines()} <= {source}


def test_cluster_scoped_findings_go_where_they_are_told_to():
    data = (DATA / "kyverno" / "wg-sample-cis-k8s.yaml").read_bytes()
    items = json.loads(run("kyverno", "--system-namespace", "security", data=data)[1])["items"]
    assert {item["metadata"]["namespace"] for item in items} == {"security"}


@pytest.mark.parametrize(
    ("arguments", "data", "said"),
    [
        (("syslog",), b"{}", "invalid choice: 'syslog'"),
        ((), b"{}", "the following arguments are required: source"),
        (("trivy", "-o", "table"), b"{}", "invalid choice: 'table'"),
        (("trivy",), b"", "error: the input is empty"),
        (("trivy",), b"{", "error: not valid JSON"),
        (("trivy",), b"kind: [", "error: not valid YAML"),
    ],
)
def test_wrong_usage_and_unreadable_input(arguments, data, said):
    code, out, err = run(*arguments, data=data)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_control_characters_of_a_report_do_not_reach_the_terminal():
    code, _, err = run("trivy", data=b'{"kind": "X", "metadata": {"name": "a\\u001b[31mb"}}')
    assert code == 0
    assert err == "passed over: X a\\x1b[31mb: no report of Trivy\n"


def test_output_is_utf8_in_every_locale():
    data = b'{"kind":"PolicyReport","metadata":{"name":"p"},"results":[{"policy":"\xc3\xa4","result":"fail"}]}'
    done = subprocess.run(
        [sys.executable, "-m", "watcher.sources", "kyverno", "-o", "jsonl"],
        input=data, capture_output=True, check=True, env={"PYTHONIOENCODING": "latin-1"},
    )  # fmt: skip
    assert json.loads(done.stdout.decode("utf-8"))["spec"]["details"]["policy"] == "ä"


def test_a_reader_that_has_seen_enough_is_no_error():
    data = (DATA / "trivy" / "vulnerabilityReportList-v0.5.json").read_bytes()
    with subprocess.Popen(
        [sys.executable, "-m", "watcher.sources", "trivy", "-o", "jsonl"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.write(data)
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_explains_input_output_and_exit_codes(program):
    code, out, _ = run("--help", program=program)
    assert code == 0
    assert all(
        word in out for word in ("kubectl apply", "exit codes", "json:", "jsonl:", "yaml:", "kyverno", "trivy")
    )


def test_the_daemon_is_not_pretended(capsys):
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "not part of this version" in capsys.readouterr().out
