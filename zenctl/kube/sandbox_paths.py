"""The paths that only a sandbox serves, beside the Kubernetes API; what goes over them is typed by the caller."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from zenctl.kube.errors import NOT_DECODED, not_kubernetes
from zenctl.kube.http import Client

_Told = TypeVar("_Told")


class SandboxPaths:
    """Speaks to a sandbox by its own paths. Raises the errors of zenctl.errors and nothing else."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def get(self, path: str, kind: type[_Told], *, doing: str) -> _Told:
        """Ask; return the answer as a value of this type."""
        return self._exchange("GET", path, None, kind, doing)

    def post(self, path: str, body: bytes, kind: type[_Told], *, doing: str) -> _Told:
        """Put something in; return the answer as a value of this type."""
        return self._exchange("POST", path, body, kind, doing)

    def _exchange(self, method: str, path: str, body: bytes | None, kind: type[_Told], doing: str) -> _Told:
        answer = self._client.send(method, f"/sandbox/{path}", doing=doing, body=body)
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except NOT_DECODED as error:
            raise not_kubernetes(doing) from error
