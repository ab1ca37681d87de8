"""Provenance: the annotations that a restore leaves on an object, and how to read them back.

A restored object gets a new uid and creationTimestamp from the server; these annotations keep the
first ones, so that the age of an Observation survives any number of restores.
"""

from __future__ import annotations

from collections.abc import Mapping

PREFIX = "zenctl.kube-zen.io/"
ORIGINAL_UID = PREFIX + "original-uid"
ORIGINAL_CREATION = PREFIX + "original-creation-timestamp"


def provenance(uid: str, creation_timestamp: str, existing: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations to add to a restored object; what an earlier restore left is kept."""
    return {
        name: existing.get(name, value)
        for name, value in ((ORIGINAL_UID, uid), (ORIGINAL_CREATION, creation_timestamp))
        if existing.get(name, value)
    }


def original_uid(annotations: Mapping[str, str] | None, uid: str) -> str:
    """Return the uid that an object had first, through any number of restores."""
    return (annotations or {}).get(ORIGINAL_UID) or uid


def original_creation(annotations: Mapping[str, str] | None, creation_timestamp: object) -> object:
    """Return the creation time to judge an object by: the first one, where a restore noted it."""
    return (annotations or {}).get(ORIGINAL_CREATION) or creation_timestamp
