"""Helm's storage objects, made the way Helm makes them, by an encoder of our own. No test belongs in here."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from zenctl.core.helm import RELEASE_SECRET, Storage

VALUES = {"image": {"tag": "1.2.3"}, "filters": {"minSeverity": "HIGH"}, "on": "yes"}
DEFAULTS = {"image": {"repository": "kubezen/zen-watcher", "tag": ""}, "replicaCount": 1}
MANIFEST = "---\n# Source: zen-watcher/templates/deployment.yaml\napiVersion: apps/v1\nkind: Deployment\n"
HOOK = {
    "name": "zen-watcher-test",
    "kind": "Pod",
    "path": "zen-watcher/templates/tests/test.yaml",
    "manifest": "apiVersion: v1\nkind: Pod\n",
    "events": ["test"],
    "weight": 5,
    "delete_policies": ["before-hook-creation"],
    "last_run": {"started_at": "", "completed_at": "", "phase": ""},
}


def release(name: str = "zen-watcher", revision: int = 1, status: str = "deployed", **changes: Any) -> dict[str, Any]:
    """Return a release as Helm serialises it; a change to None takes the key away."""
    document: dict[str, Any] = {
        "name": name,
        "info": {
            "first_deployed": "2026-11-01T09:00:00.123456789+01:00",
            "last_deployed": f"2026-11-{revision:02d}T09:00:00.123456789+01:00",
            "deleted": "",
            "description": "Upgrade complete",
            "status": status,
            "notes": "Zen Watcher is running.\n",
        },
        "chart": {
            "metadata": {"name": "zen-watcher", "version": f"0.{revision}.0", "appVersion": "1.2.3"},
            "lock": None,
            "templates": [{"name": "templates/deployment.yaml", "data": "YQ=="}],
            "values": DEFAULTS,
            "schema": None,
            "files": None,
        },
        "config": VALUES,
        "manifest": MANIFEST,
        "hooks": [HOOK],
        "version": revision,
        "namespace": "zen-system",
        **changes,
    }
    return {key: value for key, value in document.items() if value is not None}


def encoded(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def zipped(plain: bytes, level: int = 9) -> bytes:
    """Return a gzip member whose header carries a time, as some writers leave one."""
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    packed = packer.compress(plain) + packer.flush()
    header = b"\x1f\x8b\x08\x00" + (1_795_399_200).to_bytes(4, "little") + b"\x02\xff"
    return header + packed + zlib.crc32(plain).to_bytes(4, "little") + (len(plain) % 2**32).to_bytes(4, "little")


def stored(
    payload: bytes,
    name: str = "zen-watcher.v1",
    storage: Storage = Storage.SECRET,
    *,
    namespace: str = "zen-system",
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the object that holds a payload: in a Secret the API adds a base64 of its own."""
    once = base64.b64encode(payload)
    secret = storage is Storage.SECRET
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": storage.value,
        "metadata": {
            "name": f"sh.helm.release.v1.{name}",
            "namespace": namespace,
            "labels": dict(labels) if labels is not None else {"owner": "helm", "name": name.rpartition(".")[0]},
        },
        "data": {"release": (base64.b64encode(once) if secret else once).decode()},
    }
    return {**document, "type": RELEASE_SECRET} if secret else document


def revision(number: int = 1, status: str = "deployed", storage: Storage = Storage.SECRET, **changes: Any) -> Any:
    """Return the stored object of a revision of zen-watcher."""
    payload = zipped(encoded(release(revision=number, status=status, **changes)))
    labels = {"owner": "helm", "name": "zen-watcher", "status": status, "version": str(number), "team": "platform"}
    return stored(payload, f"zen-watcher.v{number}", storage, labels=labels)
