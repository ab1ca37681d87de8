"""Which objects of a source come back by themselves, and which only where they are asked for. Pure.

CRDs, the objects of their groups and ConfigMaps always do. The installation is left to whoever installs it, Secrets
and Helm's releases to the cluster, unless --only names them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

import msgspec

from zenctl.backup.helm import ACCOUNT_TOKEN
from zenctl.backup.portable import is_old_budget, portable
from zenctl.core.helm import RELEASE_SECRET, is_release_name
from zenctl.core.objects import CONFIG_MAP, CUSTOM_RESOURCE_DEFINITION, ResourceType
from zenctl.product.installation import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    POLICIES,
    ROLE,
    ROLE_BINDING,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    WORKLOADS,
    Kind,
)
from zenctl.restore.batch import Batch, Share

_SECRET = Kind(SECRET.group, SECRET.kind)
_CONFIG_MAP = Kind(CONFIG_MAP.group, CONFIG_MAP.kind)
_INSTALLATION = (
    Kind(SERVICE_ACCOUNT.group, SERVICE_ACCOUNT.kind), CLUSTER_ROLE, ROLE, CLUSTER_ROLE_BINDING, ROLE_BINDING,
    *POLICIES, Kind(SERVICE.group, SERVICE.kind), *WORKLOADS,
)  # fmt: skip
_OLD_BUDGET = ResourceType("policy", "v1beta1", "PodDisruptionBudget", "poddisruptionbudgets")
_ORDER = (_SECRET, *_INSTALLATION)
"""Accounts and Secrets before what runs with them; roles before bindings, since few may bind a missing one."""


def share_of(group: str, kind: str) -> Share | None:
    """Return the share that objects of a kind are in; None for a kind that no restore knows."""
    found = Kind(group, kind)
    if found == _SECRET:
        return Share.SECRETS
    if found in _INSTALLATION:
        return Share.INSTALLATION
    custom = "." in group and not group.endswith(".k8s.io")
    definition = Kind(CUSTOM_RESOURCE_DEFINITION.group, CUSTOM_RESOURCE_DEFINITION.kind)
    return Share.USUAL if custom or found in (_CONFIG_MAP, definition) else None


def is_asked_for(batch: Batch, asked: Set[str]) -> bool:
    """Say whether a batch is restored, given the kinds that --only names."""
    return batch.share == Share.USUAL or not batch.called.isdisjoint(asked)


def in_order(batches: Iterable[Batch]) -> tuple[Batch, ...]:
    """Return batches as they are restored: the usual ones as they come, then what must be asked for, Helm's last."""

    def rank(batch: Batch) -> int:
        if batch.share in (Share.USUAL, Share.HELM):
            return -1 if batch.share == Share.USUAL else len(_ORDER)
        return _ORDER.index(Kind(batch.group, batch.kind))

    return tuple(sorted(batches, key=rank))


def may_hold_releases(group: str, kind: str) -> bool:
    """Say whether Helm may keep releases in objects of a kind."""
    return Kind(group, kind) in (_SECRET, _CONFIG_MAP)


class _Metadata(msgspec.Struct, frozen=True):
    name: str = ""


class _Fields(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()
    type: str = ""


def as_now_meant(batch: Batch, lines: Iterator[bytes]) -> Iterator[bytes]:
    """Return the lines of a batch with what has another meaning at later versions in words that have not."""
    if not is_old_budget(batch.api_version, batch.kind):
        return lines
    return map(_budget, lines)


def _budget(line: bytes) -> bytes:
    try:
        value = msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return line  # it is for the plan to call it unreadable
    return msgspec.json.encode(portable(_OLD_BUDGET, value)) if isinstance(value, dict) else line


def share_in(line: bytes) -> Share | None:
    """Return the share of a Secret's or ConfigMap's line beside its kind's own: HELM for a revision of a release.

    None for a token of an account, which is worth nothing once its account has another uid, and never comes back.
    """
    try:
        fields = msgspec.json.decode(line, type=_Fields)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Share.USUAL
    if fields.type == ACCOUNT_TOKEN:
        return None
    helm = fields.type == RELEASE_SECRET or is_release_name(fields.metadata.name)
    return Share.HELM if helm else Share.USUAL
