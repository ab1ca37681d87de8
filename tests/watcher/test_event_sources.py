"""Falco, the audit log and a cluster's Events: single happenings, with their traps."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.watcher.samples import events, report, reports
from watcher.sources import audit, falco, kubernetes_events
from watcher.sources.event import Event, ReportError, Subject, UnknownReport
from watcher.sources.observation import object_name
from watcher.sources.reports import load
from zenctl.core.observation import Severity

# --- Falco

ALERT = report("falco/web-channels-1.json")


def alert(**changes: Any) -> Event:
    (found,) = falco.parse(copy.deepcopy(ALERT) | changes)
    return found


def fields(**changes: Any) -> dict[str, Any]:
    return dict(ALERT["output_fields"]) | {key.replace("_", "."): value for key, value in changes.items()}


@pytest.mark.parametrize(
    ("priority", "severity"),
    [
        ("Emergency", "CRITICAL"), ("Critical", "CRITICAL"), ("ALERT", "HIGH"), ("error", "HIGH"),
        ("Warning", "MEDIUM"), ("Notice", "LOW"), ("Informational", "LOW"), ("Debug", "INFO"), ("odd", "MEDIUM"),
        (None, "MEDIUM"),
    ],
)  # fmt: skip
def test_every_priority_of_falco_in_any_case(priority, severity):
    found = alert(priority=priority)
    assert found.severity == severity
    assert ("reportedSeverity" in found.details) is (priority in ("odd", None))


def test_an_alert_says_where_and_what():
    found = alert()
    assert found.subject == Subject("Pod", "kubecon", "default", "v1")
    assert found.message.startswith("Terminal shell in container: A shell was spawned in a container")
    assert found.time == "2023-05-25T13:44:05.478445Z"
    assert found.tags == ("container", "mitre_execution", "shell")


def test_the_same_alert_later_is_the_same_finding():
    later = alert(time="2024-01-01T00:00:00Z", output="x", output_fields=fields(evt_time=5, proc_cmdline="other"))
    assert object_name(later) == object_name(alert())
    assert object_name(alert(output_fields=fields(proc_name="bash"))) != object_name(alert())
    assert object_name(alert(output_fields=fields(k8s_pod_name="other"))) != object_name(alert())


@pytest.mark.parametrize(
    ("time", "evt", "expected"),
    [
        ({"seconds": "1700000000", "nanos": 5000}, None, "2023-11-14T22:13:20.000005Z"),
        ("2023-05-25T13:44:05.47844599Z", None, "2023-05-25T13:44:05.478445Z"),
        ("2023-05-25T13:44:05Z+2", 1685022245478445995, "2023-05-25T13:44:05.478445Z"),
        (None, "1685022245478445", "2023-05-25T13:44:05.478445Z"),
        (None, "13:44:05.478445995", None),
        (None, True, None),
    ],
)
def test_all_of_falcos_times(time, evt, expected):
    assert alert(time=time, output_fields={"evt.time": evt}).time == expected


@pytest.mark.parametrize(
    ("given", "subject"),
    [
        ({"k8s.pod.name": "<NA>", "k8s.ns.name": "<NA>", "evt.hostname": "n"}, Subject("Node", "n")),
        ({}, Subject("Node", "falco-xczjd")),
        ({"ka.target.resource": "secrets", "ka.target.name": "s", "ka.target.namespace": "a"},
         Subject("Secret", "s", "a")),
        ({"ka.target.resource": "widgets"}, Subject("widgets", "")),
        (None, Subject("Node", "falco-xczjd")),
    ],
)  # fmt: skip
def test_what_an_alert_is_about(given, subject):
    assert alert(output_fields=given).subject == subject


def test_secrets_on_command_lines_are_masked():
    found = alert(
        output="12:00:00.1: Critical x (cmdline=mysql --password=hunter2)",
        output_fields=fields(proc_cmdline="mysql --password=hunter2", user_password="hunter2"),
    )
    assert "hunter2" not in str(found)
    assert found.details["fields"]["proc.cmdline"] == "mysql --password=***"


def test_falcos_own_health_is_no_finding():
    with pytest.raises(UnknownReport, match="health of Falco itself"):
        events("falco/web-metrics-1.json")


# --- audit


def test_an_event_list_is_split_and_its_items_are_typed():
    bare = {key: value for key, value in AUDIT.items() if key not in ("kind", "apiVersion")}
    body = {"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [bare]}
    (item,) = load(json.dumps(body).encode())
    assert [found.event_type for found in audit.parse(item)] == ["secret-access"]


AUDIT = report("audit/create_secret.json")
PRIVILEGED = report("audit/create_nginx_pod_privileged.json")


def audited(value: dict[str, Any], **reference: Any) -> dict[str, Any]:
    changed = copy.deepcopy(value)
    changed["objectRef"].update(reference)
    return changed


@pytest.mark.parametrize(
    ("verb", "reference", "expected"),
    [
        ("get", {}, []), ("list", {}, []), ("create", {}, ["secret-access"]), ("delete", {}, ["secret-access"]),
        ("deletecollection", {"resource": "configmaps"}, ["secret-access"]),
        ("delete", {"resource": "pods"}, ["resource-deletion"]),
        ("create", {"resource": "pods"}, []),
        ("patch", {"resource": "roles", "apiGroup": "rbac.authorization.k8s.io"}, ["rbac-change"]),
        ("delete", {"resource": "roles", "apiGroup": "rbac.authorization.k8s.io"}, ["rbac-change"]),
        ("get", {"resource": "pods", "subresource": "exec"}, ["pod-exec"]),
        ("create", {"resource": "pods", "subresource": "portforward"}, ["pod-exec"]),
        ("create", {"resource": "secrets", "apiGroup": "other.io"}, []),
    ],
)  # fmt: skip
def test_what_of_the_audit_log_is_a_finding(verb, reference, expected):
    found = audit.parse(audited(AUDIT, **reference) | {"verb": verb})
    assert [event.event_type for event in found] == expected
    assert {event.severity for event in found} <= {Severity.HIGH}


@pytest.mark.parametrize(
    ("stage", "code", "found"),
    [("RequestReceived", None, 0), ("ResponseStarted", 200, 0), ("ResponseStarted", 101, 1),
     ("ResponseComplete", 201, 1),
     ("Panic", None, 1), (None, 200, 0)],
)  # fmt: skip
def test_a_request_counts_once_though_each_stage_is_posted(stage, code, found):
    assert len(audit.parse(AUDIT | {"stage": stage, "responseStatus": {"code": code}})) == found


def test_bodies_of_requests_are_never_repeated():
    body = {"metadata": {"name": "s"}, "data": {"password": "aHVudGVyMg=="}, "stringData": {"a": "hunter2"}}
    for name in ("requestObject", "responseObject"):
        (found,) = audit.parse(AUDIT | {name: body, "requestURI": "/exec?command=hunter2"})
        assert "hunter2" not in str(found)
        assert "aHVudGVyMg" not in str(found)


def test_the_name_of_what_is_created_comes_from_the_answer():
    (found,) = audit.parse(PRIVILEGED)
    assert found.subject == Subject("Pod", "nginx-deployment-5cdcc99dbf-rgw6z", "default", "v1")
    assert (found.event_type, found.details["containers"]) == ("privileged-pod-creation", ["nginx"])


def test_a_refused_request_is_another_finding_than_a_granted_one():
    granted, refused = (audit.parse(AUDIT | {"responseStatus": {"code": code}})[0] for code in (201, 403))
    assert refused.tags == ("refused",)
    assert "refused with 403" in refused.message
    assert object_name(granted) != object_name(refused)


def test_an_audit_id_tells_a_repeated_delivery_from_a_repeated_request():
    again = AUDIT | {"auditID": "another"}
    (first,), (second,) = audit.parse(AUDIT), audit.parse(again)
    assert object_name(first) == object_name(second)
    assert first.occurrence == AUDIT["auditID"] != second.occurrence


def test_a_binding_says_which_role_it_gives():
    (found,) = events("audit/attach_cluster_admin_role.json")
    assert found.details["roleRef"] == {"kind": "ClusterRole", "name": "cluster-admin"}


@pytest.mark.parametrize("value", [{"kind": 0}, {"kind": "Event", "apiVersion": "v1", "reason": "x"}, [], None, {}])
def test_what_is_no_audit_event_is_passed_over(value):
    with pytest.raises(UnknownReport):
        audit.parse(value)


def test_an_audit_event_without_verb_is_an_error():
    with pytest.raises(ReportError, match="it has no verb"):
        audit.parse(AUDIT | {"verb": None})


# --- a cluster's Events


WARNING = next(
    entry
    for entry in reports("kubernetes-events/troubleshoot-message-image-pull-fail.json")
    if entry["type"] == "Warning"
)


def warning(**changes: Any) -> Event:
    (found,) = kubernetes_events.parse(copy.deepcopy(WARNING) | changes)
    return found


@pytest.mark.parametrize(
    ("reason", "event_type", "category", "severity"),
    [
        ("FailedMount", "storage-access-failure", "operations", "HIGH"),
        ("BackOff", "kubernetes-event", "operations", "HIGH"),
        ("FailedScheduling", "resource-exhaustion", "operations", "HIGH"),
        ("Evicted", "resource-exhaustion", "operations", "MEDIUM"),
        ("PolicyViolation", "policy-violation", "security", "MEDIUM"),
        ("ErrImagePull", "image-pull-failure", "operations", "MEDIUM"),
        ("Forbidden", "access-control-violation", "security", "CRITICAL"),
        ("FailedDelete", "kubernetes-event", "operations", "CRITICAL"),
        ("Unhealthy", "kubernetes-event", "operations", "MEDIUM"),
    ],
)
def test_the_reason_decides(reason, event_type, category, severity):
    found = warning(reason=reason)
    assert (found.event_type, found.category, found.severity) == (event_type, category, severity)


def test_secrets_in_the_text_of_an_event_are_masked():
    assert warning(message="failed: --token=hunter2").message.endswith("failed: --token=***")


def test_normal_events_are_no_findings():
    assert kubernetes_events.parse(WARNING | {"type": "Normal", "reason": "FailedMount"}) == ()


def test_an_event_of_the_scheduler_has_a_time():
    found = warning(lastTimestamp=None, firstTimestamp=None, series=None, eventTime="2023-07-11T05:34:44.123456Z")
    assert found.time == "2023-07-11T05:34:44.123456Z"


def test_both_apis_make_the_same_finding():
    old = warning(source={"component": "kubelet"}, reportingComponent="", message="text")
    new = copy.deepcopy(WARNING) | {
        "apiVersion": "events.k8s.io/v1",
        "note": "text",
        "reportingController": "kubelet",
    }
    new["regarding"] = new.pop("involvedObject")
    del new["message"]
    (found,) = kubernetes_events.parse(new)
    assert (object_name(found), found.message) == (object_name(old), old.message)


def test_texts_change_and_the_finding_stays():
    assert object_name(warning(message="after 10s")) == object_name(warning(message="after 20s"))
    assert object_name(warning(reason="Other")) != object_name(warning(reason="Failed"))


def test_a_repeated_list_is_no_recurrence_and_a_higher_count_is():
    assert warning(count=3).occurrence == warning(count=3).occurrence != warning(count=4).occurrence


def test_an_archived_event_may_lack_nearly_everything():
    bare = {"reason": "Failed", "type": "Warning", "message": "m", "involvedObject": {"kind": "Pod", "name": "p"}}
    (found,) = kubernetes_events.parse(bare)
    assert (found.subject, found.time, found.occurrence) == (Subject("Pod", "p"), None, "")
    with pytest.raises(ReportError, match="does not say what it is about"):
        kubernetes_events.parse({"reason": "Failed", "involvedObject": {}})
    with pytest.raises(ReportError, match="Pod p: it has no reason"):
        kubernetes_events.parse({"type": "Warning", "involvedObject": {"kind": "Pod", "name": "p"}})
