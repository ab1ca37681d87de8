"""A Kubernetes Event about a run that failed, for those who look at the cluster and not at the job's log.

It is about the watcher's Deployment where there is one to be seen, else about the namespace. It says in one line what
the run said on stderr; what could be a credential is left out.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from zenctl.core.instants import format_instant
from zenctl.core.objects import DEPLOYMENT, EVENT, NAMESPACE, KeyFields, ObjectKey, ResourceType
from zenctl.core.text import printable
from zenctl.errors import Denied, NotFound
from zenctl.ports import ListQuery, ObjectReader, ObjectWriter
from zenctl.product.labels import WATCHER_SELECTORS

_COMPONENT = "zenctl"
_LONGEST_MESSAGE = 1_000
_USERINFO = re.compile(r"(?<=://)[^\s/@]*:[^\s/@]*@")


class Objects(ObjectReader, ObjectWriter, Protocol):
    """Reading and writing objects."""


class Failure(NamedTuple):
    """What went wrong, when, and which run it was."""

    reason: str
    """For machines: BackupFailed."""
    message: str
    at: datetime
    run: str
    """The run's own name, which makes the Event's."""


def tell(cluster: Objects, namespace: str, failure: Failure) -> None:
    """Write the Event. Raises the cluster's errors."""
    about, found = _about(cluster, namespace)
    at = format_instant(failure.at.replace(microsecond=0))
    document: dict[str, Any] = {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"name": f"{found.metadata.name}.{failure.run}", "namespace": namespace},
        # For a namespace too: an Event and what it is about lie in the same one.
        "involvedObject": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "namespace": namespace,
            "name": found.metadata.name,
            **({"uid": found.metadata.uid} if found.metadata.uid else {}),
        },
        "type": "Warning",
        "reason": failure.reason,
        "message": one_line(failure.message),
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
        "source": {"component": _COMPONENT},
    }
    cluster.create(EVENT, namespace, msgspec.json.encode(document))


def one_line(message: str) -> str:
    """Return a message as an Event may carry it: short, on one line, and without the password of any URL."""
    text = " ".join(printable(_USERINFO.sub("", message)).split())
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 3] + "..."


def _about(cluster: ObjectReader, namespace: str) -> tuple[ResourceType, KeyFields]:
    """Return what the Event is about, and its kind."""
    try:
        for selector in WATCHER_SELECTORS:
            for page in cluster.pages(DEPLOYMENT, KeyFields, ListQuery(namespace, selector)):
                if page.objects:
                    return DEPLOYMENT, page.objects[0].fields
        return NAMESPACE, cluster.get(NAMESPACE, ObjectKey("", namespace), KeyFields).fields
    except (Denied, NotFound):
        return NAMESPACE, _named(namespace)


def _named(name: str) -> KeyFields:
    return msgspec.convert({"metadata": {"name": name}}, KeyFields)
