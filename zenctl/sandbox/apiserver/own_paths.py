"""Paths that are about no object: version, health, discovery, OpenAPI, and what the sandbox adds under /sandbox.

Under /sandbox the sandbox tells about itself and takes what no Kubernetes API could give it: objects as they are,
logs, the end of its history. Whoever may do everything may use it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import sha256

import msgspec

from zenctl.sandbox.apiserver import discovery, openapi
from zenctl.sandbox.apiserver.documents import check_size, wanted
from zenctl.sandbox.apiserver.errors import ApiError, bad_request, method_not_allowed, no_such_page, unknown_resource
from zenctl.sandbox.apiserver.loading import Loader, kind_of
from zenctl.sandbox.apiserver.messages import Request, Response, json_response
from zenctl.sandbox.apiserver.objects import Json
from zenctl.sandbox.apiserver.pod_logs import LogKey
from zenctl.sandbox.apiserver.routes import truth
from zenctl.sandbox.apiserver.state import State

OWN = "/sandbox/"
VERSION: Mapping[str, str] = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0+zenctl.sandbox",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "none",
    "platform": "python",
}
_V2_TITLE = "The sandbox describes its resources in /openapi/v3 only"
_OPENAPI_V2_ASKED = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
_OPENAPI_V2_SENT = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_HEALTH = ("/healthz", "/livez", "/readyz")


class OwnPaths:
    """Answers requests that are about no object."""

    def __init__(self, state: State, loader: Loader) -> None:
        self._state, self._loader = state, loader
        self._own: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "status"): self._status,
            ("POST", "load"): self._load,
            ("POST", "logs"): self._put_log,
            ("POST", "compact"): self._compact,
        }

    def answer(self, request: Request) -> Response:
        """Answer one request. Raises ApiError."""
        if "//" in request.path:
            raise no_such_page()
        path = request.path.rstrip("/") or "/"
        if path.startswith(OWN):
            own = self._own.get((request.method, path.removeprefix(OWN)))
            if own is None:
                raise no_such_page()
            return own(request)
        if request.method != "GET":
            raise method_not_allowed()
        if path == "/version":
            return json_response(200, VERSION)
        if path in _HEALTH:
            return Response(200, b"ok", "text/plain; charset=utf-8")
        if path == "/openapi/v2":
            return _openapi_v2(request)
        found = self._discovery(path, request) or self._openapi(path)
        if found is None:
            raise self._nothing_there(path)
        return found

    def _nothing_there(self, path: str) -> ApiError:
        """Return the error for a path of discovery; a group that is known has a server who says so itself."""
        _, root, group, *_ = [*path.split("/"), "", ""]
        known = root == "api" or (root == "apis" and self._state.registry.is_built_in(group))
        return unknown_resource() if known and group else no_such_page()

    def _discovery(self, path: str, request: Request) -> Response | None:
        served = list(self._state.registry.everything())
        if path in ("/api", "/apis"):
            choice = wanted(request)
            if choice.as_kind == "APIGroupDiscoveryList":
                body = discovery.aggregated(served, core=path == "/api", version=choice.version)
                kind = f"application/json;g=apidiscovery.k8s.io;v={choice.version};as=APIGroupDiscoveryList"
                return _cached(request, body, kind)
        document = discovery.legacy(served, path)
        return None if document is None else json_response(200, document)

    def _openapi(self, path: str) -> Response | None:
        served = list(self._state.registry.everything())
        document = openapi.document(served, path)
        return None if document is None else json_response(200, document)

    # -- the sandbox itself ------------------------------------------------------------------------------

    def _status(self, _request: Request) -> Response:
        store = self._state.store
        objects = {name: store.collection(name).live for name in sorted(store.names())}
        struck = [{"fault": fault.text, "struck": times} for fault, times in self._state.faults.struck()]
        return json_response(
            200,
            {
                "kind": "SandboxStatus",
                "version": VERSION["gitVersion"],
                "resourceVersion": str(store.revision),
                "oldestResourceVersion": str(store.compacted),
                "objects": objects,
                "faults": struck,
            },
        )

    def _load(self, request: Request) -> Response:
        """Take objects, one JSON document a line."""
        try:
            documents = [msgspec.json.decode(line) for line in request.body.splitlines() if line.strip()]
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise bad_request(f"not one JSON document a line: {error}") from None
        loaded, refused = self._loader.load(documents)
        counts = Counter(map(kind_of, documents)) - Counter(each.kind for each in refused)
        return json_response(
            200,
            {
                "kind": "SandboxLoad",
                "loaded": loaded,
                "kinds": dict(sorted(counts.items())),
                "refused": [{"object": what, "why": why} for _, what, why in refused],
            },
        )

    def _put_log(self, request: Request) -> Response:
        check_size(request.body)
        query = request.query
        key = LogKey(
            query.get("namespace", ""),
            query.get("pod", ""),
            query.get("container", ""),
            truth(query.get("previous", "")),
        )
        if not (key.namespace and key.pod and key.container):
            raise bad_request("a log needs namespace, pod and container")
        self._state.logs.put(key, request.body)
        return json_response(200, {"kind": "SandboxLog", "bytes": len(request.body)})

    def _compact(self, _request: Request) -> Response:
        self._state.store.compact()
        return json_response(200, {"kind": "SandboxCompaction", "resourceVersion": str(self._state.store.compacted)})


def _openapi_v2(request: Request) -> Response:
    """Return an OpenAPI 2 document that describes nothing, and says where everything is described.

    kubectl looks into it before it applies a List, and lets pass what it does not find there; without any document
    it refuses to apply. Its protobuf form is the message Document of two fields: swagger, and info with a title.
    """
    if _OPENAPI_V2_ASKED in request.header("accept"):
        title = _V2_TITLE.encode()
        info = b"\x0a" + bytes([len(title)]) + title + b"\x12\x012"
        return Response(200, b"\x0a\x032.0\x12" + bytes([len(info)]) + info, _OPENAPI_V2_SENT)
    info_document = {"title": _V2_TITLE, "version": "2"}
    return json_response(200, {"swagger": "2.0", "info": info_document, "paths": {}, "definitions": {}})


def _cached(request: Request, body: Json, kind: str) -> Response:
    """Return a document with its ETag, or only the word that the client has it already."""
    sent = msgspec.json.encode(body)
    tag = f'"{sha256(sent).hexdigest().upper()}"'
    headers = (("ETag", tag), ("Vary", "Accept"))
    if request.header("if-none-match") == tag:
        return Response(304, b"", kind, headers)
    return Response(200, sent, kind, headers)
