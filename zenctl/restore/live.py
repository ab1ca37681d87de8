"""What is remembered of the live objects of a kind, packed: a cluster may hold hundreds of thousands of them. Pure.

A plan keeps it until it is carried out, so each object costs the bytes of its key and state and two references,
half of what the states themselves would.
"""

from __future__ import annotations

import msgspec

from zenctl.core.objects import ObjectKey
from zenctl.restore.decide import LiveState

_STATE = msgspec.msgpack.Decoder(LiveState)


class LiveStates:
    """States of live objects by their keys."""

    def __init__(self) -> None:
        self._packed: dict[bytes, bytes] = {}

    def put(self, key: ObjectKey, state: LiveState) -> None:
        """Remember the state of an object."""
        self._packed[_key(key)] = msgspec.msgpack.encode(state)

    def get(self, key: ObjectKey) -> LiveState | None:
        """Return the state of an object; None where there is no such object."""
        packed = self._packed.get(_key(key))
        return None if packed is None else _STATE.decode(packed)

    def forget(self, namespace: str | None) -> None:
        """Forget the objects of a namespace, or (None) all, because their listing begins again."""
        begin = b"" if namespace is None else _key(ObjectKey(namespace, ""))
        self._packed = {key: state for key, state in self._packed.items() if not key.startswith(begin)}

    def __len__(self) -> int:
        return len(self._packed)


def _key(key: ObjectKey) -> bytes:
    return f"{key.namespace}/{key.name}".encode()
