"""What real programs write as protobuf: bodies that kubectl sends, and answers of a real API server.

``python -m tests.protobuf_recordings`` writes them to tests/sandbox/recorded_protobuf.jsonl, each beside the same
object in JSON, from the kubectl on PATH and the control plane of KUBEBUILDER_ASSETS. The cluster tests use the parts.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import tempfile
import threading
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.controlplane import ControlPlane
from tests.conformance.api import JSON, HttpApi
from zenctl.sandbox.apiserver.kinds import BUILT_IN, Served
from zenctl.sandbox.apiserver.protobuf import MEDIA_TYPE

RECORDINGS = Path(__file__).with_name("sandbox") / "recorded_protobuf.jsonl"
SAMPLES = Path(__file__).with_name("sandbox") / "protobuf_samples.yaml"

Document = dict[str, Any]

CREATIONS = (
    "namespace one",
    "configmap settings --from-literal=a=1 --from-literal=empty= --from-file=BINARY",
    "secret generic key --from-literal=password=s3cret --from-file=BINARY --type=example.org/key",
    "serviceaccount robot",
    "deployment web --image=nginx --replicas=0 --port=8080",
    "service clusterip web --tcp=80:http --tcp=443:8443",
    "service nodeport web --tcp=80 --node-port=30080",
    "job once --image=busybox -- sh -c date",
    "cronjob nightly --image=busybox --schedule=@daily --restart=OnFailure -- date",
    "poddisruptionbudget web --selector=app=web --min-available=50%",
    "poddisruptionbudget web --selector=app=web --max-unavailable=1",
    "role reader --verb=get,list --resource=pods,pods/log --resource-name=a",
    "clusterrole all --aggregation-rule=rbac=yes",
    "clusterrole urls --verb=get --non-resource-url=/healthz/*",
    "rolebinding readers --role=reader --user=jane --group=team --serviceaccount=default:robot",
    "clusterrolebinding admins --clusterrole=urls --group=team",
)
"""What follows ``kubectl create``; BINARY stands for a file with every byte."""

_AUTHORIZATION = "authorization.k8s.io/v1"
QUESTIONS: Mapping[str, Document] = {
    "can-i get pods --subresource=log -n kube-system": {
        "apiVersion": _AUTHORIZATION,
        "kind": "SelfSubjectAccessReview",
        "metadata": {},
        "spec": {
            "resourceAttributes": {
                "namespace": "kube-system",
                "verb": "get",
                "resource": "pods",
                "subresource": "log",
            }
        },
        "status": {"allowed": False},
    },
    "can-i get /healthz": {
        "apiVersion": _AUTHORIZATION,
        "kind": "SelfSubjectAccessReview",
        "metadata": {},
        "spec": {"nonResourceAttributes": {"path": "/healthz", "verb": "get"}},
        "status": {"allowed": False},
    },
    "can-i --list": {
        "apiVersion": _AUTHORIZATION,
        "kind": "SelfSubjectRulesReview",
        "metadata": {},
        "spec": {"namespace": "default"},
        "status": {"incomplete": False},
    },
    "whoami": {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "SelfSubjectReview",
        "metadata": {},
        "status": {"userInfo": {}},
    },
}
"""What follows ``kubectl auth``, and the object that it has to send."""


def without_nulls(value: Any) -> Any:
    """Return JSON without the members that are null: Go writes them for lists, maps and times that are not there."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


_PODS = {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["get", "list"]}
_DISCOVERY = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [_PODS]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
}


class KubectlOnPaper:
    """The real kubectl with a server that knows of pods and nothing else, and keeps what it is sent."""

    def __init__(self, folder: Path, port: int, bodies: list[bytes]) -> None:
        self._folder, self._bodies = folder, bodies
        self._command = ["kubectl", "--kubeconfig=/dev/null", f"--server=http://127.0.0.1:{port}"]
        (folder / "all.bytes").write_bytes(bytes(range(256)))

    def created(self, what: str) -> tuple[bytes, Document]:
        """Return the body that ``kubectl create`` sends and the document that it prints."""
        arguments = ["create", *what.replace("BINARY", str(self._folder / "all.bytes")).split()]
        place = arguments.index("--") if "--" in arguments else len(arguments)
        printing = [*arguments[:place], "--dry-run=client", "-o", "json", *arguments[place:]]
        printed = self._run(printing, check=True).stdout
        return self.sent(*arguments), without_nulls(json.loads(printed))

    def sent(self, *arguments: str) -> bytes:
        """Return the first protobuf body that a command sends."""
        self._bodies.clear()
        done = self._run(arguments, check=False)
        if not self._bodies:
            raise AssertionError(f"kubectl {' '.join(arguments)} sent no protobuf: {done.stderr}")
        return self._bodies[0]

    def _run(self, arguments: Sequence[str], *, check: bool) -> subprocess.CompletedProcess[str]:
        command = [*self._command, f"--cache-dir={self._folder / 'cache'}", *arguments]
        return subprocess.run(command, check=check, capture_output=True, text=True, timeout=60)


@contextmanager
def kubectl_on_paper() -> Iterator[KubectlOnPaper]:
    """Give kubectl whose requests come to nothing."""
    bodies: list[bytes] = []

    class Answers(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Type") == MEDIA_TYPE:
                bodies.append(body)
            path = self.path.partition("?")[0]
            known = json.dumps(_DISCOVERY.get(path, {})).encode()
            self.send_response(200 if path in _DISCOVERY else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(known)))
            self.end_headers()
            self.wfile.write(known)

        do_GET = do_POST = answer  # noqa: N815 - the library looks for these names

        def log_message(self, *_: object) -> None:
            pass

    with tempfile.TemporaryDirectory() as folder, ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield KubectlOnPaper(Path(folder), server.server_port, bodies)
        server.shutdown()


def samples(namespace: str) -> dict[str, Document]:
    """Return the sample of each kind that has one, for a namespace."""
    text = SAMPLES.read_text().replace("NAMESPACE", namespace)
    return {document["kind"]: document for document in yaml.safe_load_all(text)}


@contextmanager
def api_of(control_plane: ControlPlane) -> Iterator[HttpApi]:
    """Give a control plane's API, as its administrator."""
    tls = ssl.create_default_context(cafile=str(control_plane.ca_file))
    with closing(HttpApi(control_plane.url, tls, control_plane.token())) as api:
        yield api


class NotServed(Exception):
    """The server does not know the kind at this version."""


def in_both_forms(api: HttpApi, sample: Document, namespace: str) -> tuple[bytes, Document]:
    """Create an object, remove it, and return how the server answers it as protobuf and as JSON. Raises NotServed."""
    (served,) = (each for each in BUILT_IN if each.type.kind == sample["kind"])
    path = _collection(served, namespace)
    created = api.request("POST", path, sample)
    if created.status == 404:
        raise NotServed(path)
    assert created.status == 201, created
    if served.virtual:
        return _same_in_both(api, "POST", path, sample)
    path += f"/{created.json['metadata']['name']}"
    try:
        if "status" in sample and "status" in served.subresources:
            written = api.request("PUT", f"{path}/status", {**created.json, "status": sample["status"]})
            assert written.status == 200, written
        return _same_in_both(api, "GET", path, None)
    finally:
        api.request("DELETE", path)


def _same_in_both(api: HttpApi, method: str, path: str, body: object) -> tuple[bytes, Document]:
    """Ask for both forms until nobody changed the object between the answers."""
    for _ in range(100):
        before, protobuf, after = (
            api.request(method, path, body, headers={"Accept": form}) for form in (JSON, MEDIA_TYPE, JSON)
        )
        if before.body == after.body:
            assert protobuf.headers["content-type"] == MEDIA_TYPE, protobuf
            return protobuf.body, without_nulls(after.json)
    raise AssertionError(f"{path} changes all the time")


def _collection(served: Served, namespace: str) -> str:
    of = served.type
    root = f"/apis/{of.api_version}" if of.group else f"/api/{of.version}"
    return f"{root}/namespaces/{namespace}/{of.plural}" if of.namespaced else f"{root}/{of.plural}"


def _recordings() -> Iterator[Document]:
    def recording(source: str, body: bytes, document: Document) -> Document:
        return {"source": source, "body": b64encode(body).decode(), "document": document}

    with kubectl_on_paper() as kubectl:
        for what in CREATIONS:
            yield recording(f"kubectl create {what}", *kubectl.created(what))
        for what, document in QUESTIONS.items():
            yield recording(f"kubectl auth {what}", kubectl.sent("auth", *what.split()), document)
    with ControlPlane.from_environment() as control_plane, api_of(control_plane) as api:
        for kind, sample in samples("default").items():
            try:
                yield recording(f"GET {kind}", *in_both_forms(api, sample, "default"))
            except NotServed as path:
                sys.stderr.write(f"not recorded, for the server has no {path}\n")


def main() -> int:
    """Write the recordings, one a line."""
    lines = (json.dumps(each, ensure_ascii=False, separators=(",", ":")) for each in _recordings())
    RECORDINGS.write_text("".join(f"{line}\n" for line in lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
