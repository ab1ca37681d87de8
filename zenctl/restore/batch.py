"""The words for what a restore takes objects from: sources, and batches of one kind. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from zenctl.core.objects import CUSTOM_RESOURCE_DEFINITION

_SHORT_NAMES = {
    "ConfigMap": "cm",
    "CronJob": "cj",
    "Deployment": "deploy",
    "NetworkPolicy": "netpol",
    "PodDisruptionBudget": "pdb",
    "Service": "svc",
    "ServiceAccount": "sa",
    "StatefulSet": "sts",
}


class Share(StrEnum):
    """A share of a source; the value of those that must be asked for is the word for all of it."""

    USUAL = ""
    INSTALLATION = "installation"
    SECRETS = "secrets"
    HELM = "helm"
    """Helm's releases, each with all of its revisions."""


class Batch(NamedTuple):
    """Objects of one kind in a source."""

    api_version: str
    kind: str
    objects: int
    place: int
    """Which batch of its source it is."""
    plural: str = ""
    """"" where the source does not say."""
    share: Share = Share.USUAL

    @property
    def called(self) -> frozenset[str]:
        """What people may call it, in lower case: kind or plural, with the group or without; Helm's by one word.

        Short names too, of what Kubernetes brings; those of a custom kind are in its CRD.
        """
        if self.share is Share.HELM:
            return frozenset({Share.HELM.value})
        short = "" if self.is_custom else _SHORT_NAMES.get(self.kind, "")
        words = {word.lower() for word in (self.kind, self.plural, _plural(self.kind), short) if word}
        words |= {f"{word}.{self.group}" for word in words if self.group}
        return frozenset(words | ({self.share.value} if self.share else set()))

    @property
    def group(self) -> str:
        """The API group; "" for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def is_custom(self) -> bool:
        """Say whether a CRD makes the kind."""
        return "." in self.group and not self.group.endswith(".k8s.io")

    @property
    def is_definitions(self) -> bool:
        """Say whether these are CRDs."""
        return self.kind == CUSTOM_RESOURCE_DEFINITION.kind


def _plural(kind: str) -> str:
    """Return the plural of a kind by the rule that the API's names follow."""
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


class LeftOut(NamedTuple):
    """Something in a source that a restore does not touch."""

    what: str
    why: str


class Source(Protocol):
    """Objects to restore."""

    @property
    def on_request(self) -> Sequence[str]:
        """The words for what it holds and does not give unless it is asked for it."""

    @property
    def label(self) -> str:
        """What a person calls it."""

    @property
    def identity(self) -> str:
        """A text that is another one as soon as any byte of it is."""

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """What is in it that a restore does not touch."""

    def batches(self) -> Sequence[Batch]:
        """Return what there is, by kind."""

    def objects(self, batch: Batch) -> Iterator[bytes]:
        """Yield the objects of a batch as JSON. Raises Damaged."""

    def find(self, batch: Batch, keys: Sequence[str]) -> Iterator[bytes]:
        """Yield the objects of a batch with these keys (NAMESPACE/NAME), reading as little as it can."""
