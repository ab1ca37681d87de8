"""Reading the manifests that zenctl ships, as the text that they are; nothing is rendered or applied here."""

from __future__ import annotations

from importlib import resources


def crd_yaml() -> str:
    """Return the CustomResourceDefinition of Observations."""
    return resources.files(__package__).joinpath("crd.yaml").read_text(encoding="utf-8")
