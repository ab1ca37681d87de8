"""The page docs/sources.md: what each source becomes, from the code and from what the samples really give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from tests.watcher.samples import DATA, reports
from watcher.sources import checkov, falco, kubernetes_events, trivy
from watcher.sources.event import Event, ReportError
from watcher.sources.registry import COVERAGE, PARSERS
from zenctl.core.observation import Severity
from zenctl.product.configuration import MODES, TOKEN_VARIABLE
from zenctl.product.filters import DEFAULTS, Reason
from zenctl.product.settings import settings
from zenctl.product.sources import SOURCES, Source

_RULES = {
    "trivy": (
        (
            "As reported, where Trivy says UNKNOWN it is MEDIUM. "
            f"{' and '.join(sorted(trivy.INDIVIDUALLY))} findings get an Observation each, the others of a report "
            "one summary; `sources.trivy.severities` chooses."
        ),
        "report family, container, and CVE and package, check, or rule and file",
        "The match of an exposed secret is never written.",
    ),
    "kyverno": (
        "As reported, else MEDIUM for fail and error, LOW for warn. Passed and skipped results are no findings.",
        "policy and rule",
        "Read from PolicyReport, ClusterPolicyReport, Report and ClusterReport of every group that has had them.",
    ),
    "falco": (
        "By priority, in any case: "
        + "; ".join(
            f"{', '.join(word for word, meant in falco.SEVERITIES.items() if meant is severity)} is {severity}"
            for severity in Severity
            if severity in falco.SEVERITIES.values()
        )
        + ". The default filter keeps MEDIUM and above.",
        "rule, engine, container, process, user and verb of an audited request",
        (
            "Passwords, tokens and keys in command lines and fields are masked. Falco's own metrics and drop "
            "notices are no findings."
        ),
    ),
    "audit": (
        "HIGH. A request counts when it is answered, whatever the stages that were posted; refused ones are tagged.",
        "event type, user, verb, resource, and whether it was refused",
        (
            "EventLists and single events. Bodies of requests and answers are never written, nor the request's "
            "address, which may hold commands."
        ),
    ),
    "kube-bench": (
        "HIGH where the check is scored, else MEDIUM. Only FAIL is a finding.",
        "node type and test number",
        (
            "From ConfigMaps, key `results.json`, or the log of a Job. The node comes from the Job's pod, or from a "
            "label or annotation `kubernetes.io/hostname`, `node` or `nodeName`; else the ConfigMap stands for it. "
            "Values found on the node are not written."
        ),
    ),
    "checkov": (
        f"As reported; without one, HIGH for {', '.join(sorted(checkov.GRAVE))} and for secrets, else MEDIUM.",
        "check, and resource or line",
        (
            "From ConfigMaps, key `results.json`. Quoted code and hashes of secrets are not written. Where nothing "
            "was scanned, or files could not be parsed, nothing is resolved."
        ),
    ),
    "kubernetes-events": (
        (
            "By reason: unauthorized, forbidden, failed deletes and privilege escalation CRITICAL; failed and "
            "back-off HIGH; other warnings MEDIUM; else LOW. Normal Events are no findings."
        ),
        "reason, component and container",
        "core/v1 and events.k8s.io/v1.",
    ),
}


def _events(source: str) -> list[Event]:
    found: list[Event] = []
    for path in sorted((DATA / source).iterdir()):
        for report in reports(f"{source}/{path.name}"):
            try:
                found += PARSERS[source](report)
            except ReportError:
                continue
    return found


def _collected(source: Source) -> str:
    if source.webhook:
        return f"`POST {source.webhook}`"
    if source.config_maps:
        return f"ConfigMaps labelled `{source.config_maps}` in `{source.namespace}`"
    return ", ".join(f"`{resource.rstrip('.')}`" for resource in source.resources)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |\n"
    yield f"|{'---|' * len(head)}\n"
    for row in rows:
        yield f"| {' | '.join(row)} |\n"


def _section(source: Source) -> Iterator[str]:
    severity, identity, note = _RULES[source.name]
    events = _events(source.name)
    types = sorted({(event.event_type, event.category) for event in events})
    details = Counter(key for event in events for key in event.details)
    most = sorted(key for key, count in details.items() if count >= len(events) / 20 and key.isidentifier())
    yield f"\n## {source.title}\n\n"
    yield f"- source: `{source.name}`; collected from {_collected(source)}\n"
    yield "- event types: " + ", ".join(f"`{name}` ({category})" for name, category in types) + "\n"
    yield f"- severity: {severity}\n"
    yield f"- one finding about one resource is told from another by {identity}\n"
    yield f"- details, as far as they are reported: {', '.join(f'`{key}`' for key in most)}\n"
    gone = "resolves what its next complete report lacks" if source.name in COVERAGE else "single happenings"
    yield f"- {gone}\n- {note}\n"


def sources_page(mark: str) -> str:
    """Return docs/sources.md."""
    parts = [
        mark,
        "# Sources\n\n",
        "What the watcher's parsers make of the reports of each tool, and the settings that its daemon will\n",
        "follow; the daemon itself is not part of this version. To see it for a report of yours:\n",
        "`python -m watcher.sources SOURCE < FILE`.\n\n",
        "Texts are cut at bounds that keep an Observation far below etcd's limit: a cut text ends in an ellipsis,\n",
        "and `details.truncated` says that something is missing. Control characters become escapes.\n",
    ]
    for source in SOURCES:
        parts += _section(source)
    parts += ["\n## Reasons of Kubernetes Events\n\n", "The first row that has part of the reason holds.\n\n"]
    parts += _table(
        ("part of the reason", "event type", "category"),
        (
            (", ".join(kind.words) or "(any other)", f"`{kind.event_type}`", kind.category)
            for kind in (*kubernetes_events.KINDS, kubernetes_events.OTHERWISE)
        ),
    )
    parts += [_CUSTOM, "\n## The filter\n\n", _FILTER]
    parts += [f"- `{reason.value}`\n" for reason in Reason]
    actors = ", ".join(f"`{pattern}`" for pattern in DEFAULTS["audit"].exclude_actors)
    parts += [f"\nBy default it drops what {actors} do in the audit log, and alerts of Falco below MEDIUM.\n"]
    parts += ["\n## Settings\n\n", f"Modes are {', '.join(f'`{mode}`' for mode in MODES)}.\n", _TOKEN]
    parts += _table(
        ("setting", "default", "environment", "meaning"),
        (
            (
                f"`{entry.path}`",
                f"`{entry.default}`" if entry.default else "",
                ", ".join(f"`{variable}`" for variable in entry.variables),
                entry.help,
            )
            for entry in settings()
        ),
    )
    return "".join(parts)


_TOKEN = f"The bearer token of webhooks comes from a file, or from `{TOKEN_VARIABLE}`; it is no setting.\n\n"
_CUSTOM = """
## A tool that is not here

needs no code, only a few paths. A value that begins with `.` or `[` is a path such as `.a.b[0]['c.d']`, anything
else is a constant. `webhook: {}` takes posts to `/webhooks/NAME`; `informer` (group, version, resource) watches a
resource; `configMap` (labelSelector, key) reads ConfigMaps.

```yaml
custom:
- name: polaris
  webhook: {}
  eventType: best-practice
  items: .Results              # where one report holds several findings
  when: {.Success: "false"}    # which of them count
  message: .Message
  severity: .Severity
  severityMap: {danger: HIGH}
  resource: {kind: .Kind, name: .Name, namespace: .Namespace}
  identity: [.ID]              # what tells findings about one resource apart
  details: {why: .Details}
```
"""
_FILTER = """The ConfigMap `zen-watcher-filter` holds it under `filter.json`; or `filter` in the configuration does.
What is said of a source replaces that part of its default; what stands under `everywhere` holds for every source. A
pattern may end in `*`; upper and lower case, and `-` and `_`, are the same.

```json
{
  "everywhere": {"excludeNamespaces": ["dev-*"]},
  "sources": {
    "trivy": {"minSeverity": "HIGH", "excludeRules": ["CVE-2020-8911"]},
    "audit": {"includeEventTypes": ["rbac-change", "pod-exec"]}
  }
}
```

Rules are read in this order, and the first that drops an event names the reason under which it is counted. `self`
is what the installation does itself: requests and Events about its own resources, or by its own service accounts.

"""
