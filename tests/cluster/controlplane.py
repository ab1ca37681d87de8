"""A real control plane for tests and benches: etcd, kube-apiserver and, on wish, kube-controller-manager.

It owns the life of those processes, their certificates, users and ports, from the binaries in the folder that
KUBEBUILDER_ASSETS names (release 1.20 or newer). It uses nothing but the standard library and the program
``openssl``, knows nothing of zenctl, and never looks for binaries elsewhere.

By hand, in the foreground until Ctrl-C::

    python -m tests.cluster.controlplane

The API server is kept as it is in production (watch cache, RBAC, page sizes), except that its limits on requests in
flight are out of the way, so that a bench measures the client. Everything lives in a folder of its own on /dev/shm,
where fsync costs nothing; that folder is memory, and goes away with the control plane. No server here outlives the
Python process that started it, not even one that was killed.
"""

from __future__ import annotations

import argparse
import atexit
import base64
import contextlib
import fcntl
import http.client
import json
import os
import random
import secrets
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

ASSETS_VARIABLE = "KUBEBUILDER_ASSETS"
ADMIN = "admin"
MASTERS = "system:masters"

_PREFIX = "zenctl-controlplane-"
_SHARED_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 1 << 30
_LISTEN = "127.0.0.1"
# Below the range from which kernels take ports for outgoing connections, so that nobody gets ours by accident.
_PORTS = range(20_000, 32_000)
_START_SECONDS = 60.0
_ATTEMPTS = 5
_LOG_LINES = 30
_PORT_TAKEN = "address already in use"

# Runs before the server in its process: ask Linux for SIGKILL when the parent ends, then become the server.
# (A preexec_fn would do the same, but is unsafe in a process with threads, and warns there.)
_DIE_WITH_PARENT = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""


class ControlPlaneError(Exception):
    """A server did not start, or ended by itself; the message carries the tail of its log."""


class Server:
    """One child process with its log file; it dies with this Python process."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, command: Sequence[str]) -> None:
        """Start it; the command and its output are appended to the log."""
        with self.log.open("a") as text:
            text.write(f"--- {shlex.join(command)}\n")
        if sys.platform == "linux":
            command = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *command]
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C in the terminal is for Python, which then stops the servers in order.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    @property
    def pid(self) -> int | None:
        """The process id; None where it is not running."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def require_alive(self) -> None:
        """Raise ControlPlaneError where the process has ended."""
        if self.pid is None:
            raise ControlPlaneError(f"{self.name} ended by itself\n{self.tail()}")

    def stop(self, *, grace_seconds: float = 0.0) -> None:
        """End it, by SIGTERM and then SIGKILL when the grace is over; harmless where it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        if grace_seconds and process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(grace_seconds)
        process.kill()
        process.wait()

    def tail(self, lines: int = _LOG_LINES) -> str:
        """Return the last lines of the log, under a heading with its path."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join([f"==> {self.log} <==", *text.splitlines()[-lines:]])


class Authority:
    """A certificate authority in a folder, by the program openssl."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.certificate = directory / "ca.crt"
        self._key = directory / "ca.key"

    def create(self) -> None:
        """Make the CA itself."""
        self._openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "365"),
            *("-subj", "/CN=zenctl-test-ca", "-keyout", str(self._key), "-out", str(self.certificate)),
        )

    def key_pair(self, name: str) -> tuple[Path, Path]:
        """Make a bare key pair, such as the one that signs service account tokens; public path, private path."""
        public, private = self._directory / f"{name}.pub", self._directory / f"{name}.key"
        self._openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-out", str(private))
        self._openssl("pkey", "-in", str(private), "-pubout", "-out", str(public))
        return public, private

    def issue(self, name: str, subject: str, extensions: str) -> tuple[Path, Path]:
        """Issue a certificate; returns the paths of certificate and key."""
        certificate, key, request, extra = (self._directory / f"{name}.{end}" for end in ("crt", "key", "csr", "ext"))
        extra.write_text(extensions)
        self._openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-subj", subject, "-keyout", str(key), "-out", str(request)),
        )
        self._openssl(
            *("x509", "-req", "-in", str(request), "-days", "365", "-extfile", str(extra)),
            *("-CA", str(self.certificate), "-CAkey", str(self._key), "-set_serial", str(secrets.randbits(63))),
            *("-out", str(certificate)),
        )
        return certificate, key

    @staticmethod
    def _openssl(*arguments: str) -> None:
        command = ["openssl", *arguments]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        except FileNotFoundError as error:
            raise ControlPlaneError("the program openssl is needed to make certificates") from error
        except subprocess.CalledProcessError as error:
            raise ControlPlaneError(f"openssl {arguments[0]} failed\n{error.stderr}") from error


class ControlPlane:
    """One cluster without nodes. Use it in a with statement, or call start and stop.

    ``users`` maps names to groups; each gets a token, beside the admin. ``controllers`` names those that
    kube-controller-manager shall run ("namespace", "garbagecollector", "*"); none, and it is not started.
    ``apiserver_flags`` come last on the command line and so win over ours.
    """

    def __init__(
        self,
        assets: Path,
        *,
        users: Mapping[str, Sequence[str]] | None = None,
        controllers: Sequence[str] = (),
        apiserver_flags: Sequence[str] = (),
    ) -> None:
        self._assets = assets
        self._groups: dict[str, Sequence[str]] = {ADMIN: (MASTERS,), **(users or {})}
        self._tokens = {user: secrets.token_hex(16) for user in self._groups}
        self._controllers = tuple(controllers)
        self._apiserver_flags = tuple(apiserver_flags)
        self._cleanup = contextlib.ExitStack()

    @classmethod
    def from_environment(cls, **options: Any) -> ControlPlane:
        """Return one, not yet started, from the binaries that KUBEBUILDER_ASSETS names."""
        folder = os.environ.get(ASSETS_VARIABLE)
        if not folder:
            raise ControlPlaneError(f"{ASSETS_VARIABLE} is not set; it names the folder with etcd and kube-apiserver")
        return cls(Path(folder), **options)

    # --- life

    def start(self) -> ControlPlane:
        """Start everything and wait until it is ready. Raises ControlPlaneError and leaves nothing behind."""
        self._require_binaries()
        self.directory = _make_directory(self._cleanup)
        self._cleanup.callback(self._stop_servers)
        atexit.register(self.stop)  # a finished interpreter leaves no folder in memory; a killed one, see _sweep
        try:
            self._make_credentials()
            self.etcd, self.apiserver, self.controller_manager = (
                Server(name, self.directory / f"{name}.log")
                for name in ("etcd", "kube-apiserver", "kube-controller-manager")
            )
            _with_free_ports(self._start_etcd, self.etcd)
            _with_free_ports(self._start_apiserver_on, self.apiserver)
            if self._controllers:
                self.controller_manager.start(self._controller_manager_command())
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Kill every server and remove the folder; harmless when repeated."""
        atexit.unregister(self.stop)
        self._cleanup.close()

    def stop_apiserver(self, *, grace_seconds: float = 0.0) -> None:
        """End the API server, at once (as a crash would) or gracefully; what it stored stays in etcd."""
        self.apiserver.stop(grace_seconds=grace_seconds)

    def start_apiserver(self) -> None:
        """Start the API server again, at the same address, and wait until it is ready.

        The controllers begin anew with it: each outage makes them wait longer before they look again, up to a minute,
        and what a test is about would wait for them.
        """
        self._start_apiserver_on(self._port)
        if self._controllers:
            self.controller_manager.stop()
            self.controller_manager.start(self._controller_manager_command())

    def restart_apiserver(self, *, grace_seconds: float = 0.0) -> None:
        """Stop and start the API server; address, certificates, users and data stay."""
        self.stop_apiserver(grace_seconds=grace_seconds)
        self.start_apiserver()

    def __enter__(self) -> ControlPlane:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # --- use

    @property
    def url(self) -> str:
        """Address of the API server."""
        return f"https://{_LISTEN}:{self._port}"

    @property
    def ca_file(self) -> Path:
        """Path of the certificate with which to check the API server's."""
        return self._authority.certificate

    def token(self, user: str = ADMIN) -> str:
        """Return the bearer token of the admin or of one of the users that were declared."""
        return self._tokens[user]

    def kubeconfig(self, user: str = ADMIN, *, groups: Sequence[str] = (), namespace: str = "default") -> Path:
        """Write a kubeconfig and return its path.

        A declared user comes with the token; any other name with a client certificate made for it and ``groups``.
        """
        path = self.directory / f"{user}-{secrets.token_hex(4)}.kubeconfig"
        credential: dict[str, str]
        if user in self._tokens:
            credential = {"token": self._tokens[user]}
        else:
            subject = "".join(f"/O={group}" for group in groups) + f"/CN={user}"
            certificate, key = self._authority.issue(path.stem, subject, "extendedKeyUsage=clientAuth\n")
            credential = {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user, "namespace": namespace}}],
            "clusters": [
                {"name": "test", "cluster": {"server": self.url, "certificate-authority-data": _base64(self.ca_file)}}
            ],
            "users": [{"name": user, "user": credential}],
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(config, indent=2) + "\n")  # JSON is YAML
        return path

    def request(
        self, method: str, path: str, body: object = None, *, token: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        """Send one JSON request, as admin unless a token is given; returns status and decoded answer."""
        connection = http.client.HTTPSConnection(_LISTEN, self._port, context=self._tls, timeout=30)
        headers = {
            "Authorization": f"Bearer {self._tokens[ADMIN] if token is None else token}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            data = response.read()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(data) if is_json else {"text": data.decode(errors="replace")}

    def compact(self) -> None:
        """Make etcd forget every older revision, so that running continue tokens and watches expire (410)."""
        revision = self._ask_etcd("/v3/kv/range", {"key": _base64_text("/registry")})["header"]["revision"]
        self._ask_etcd("/v3/kv/compaction", {"revision": revision, "physical": True})

    def log_tail(self, lines: int = _LOG_LINES) -> str:
        """Return the ends of all logs, for a failure report."""
        servers = (self.etcd, self.apiserver, self.controller_manager)
        return "\n".join(server.tail(lines) for server in servers if server.log.exists())

    # --- within

    def _require_binaries(self) -> None:
        names = ["etcd", "kube-apiserver", *(["kube-controller-manager"] if self._controllers else [])]
        missing = [name for name in names if not os.access(self._assets / name, os.X_OK)]
        if missing:
            raise ControlPlaneError(f"{self._assets} has no {', '.join(missing)}; see {ASSETS_VARIABLE}")

    def _make_credentials(self) -> None:
        self._authority = Authority(self.directory)
        self._authority.create()
        names = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kubernetes.default.svc\nextendedKeyUsage=serverAuth\n"
        self._authority.issue("apiserver", "/CN=kube-apiserver", names)
        self._authority.key_pair("service-account")
        self._tls = ssl.create_default_context(cafile=str(self.ca_file))
        rows = (f'{self._tokens[user]},{user},{user},"{",".join(groups)}"' for user, groups in self._groups.items())
        tokens = self.directory / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text("\n".join(rows) + "\n")

    def _start_etcd(self, port: int) -> None:
        self._etcd_port = port
        client, peer = f"http://{_LISTEN}:{port}", f"http://{_LISTEN}:{_free_port()}"
        program = str(self._assets / "etcd")
        # Only newer etcd can be told not to sync; the older is quick because its folder is in memory.
        help_text = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
        sync = ["--unsafe-no-fsync"] if "unsafe-no-fsync" in help_text.stdout + help_text.stderr else []
        self.etcd.start(
            [
                program,
                *("--name=test", f"--data-dir={self.directory / 'etcd'}", *sync),
                *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
                *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
                *(f"--initial-cluster=test={peer}", f"--quota-backend-bytes={8 << 30}"),
                *("--heartbeat-interval=10", "--election-timeout=100"),  # alone, it need not wait for others
            ]
        )
        _wait_for(lambda: _etcd_is_healthy(port), self.etcd)

    def _start_apiserver_on(self, port: int) -> None:
        self._port = port
        self.apiserver.start(self._apiserver_command())
        _wait_for(self._is_ready, self.apiserver)

    def _apiserver_command(self) -> list[str]:
        here = self.directory
        public, private = here / "service-account.pub", here / "service-account.key"
        # Without the controller that makes service accounts, their admission plugin would refuse every pod.
        runs_accounts = {"*", "serviceaccount"} & set(self._controllers)
        return [
            str(self._assets / "kube-apiserver"),
            *(f"--etcd-servers=http://{_LISTEN}:{self._etcd_port}", f"--bind-address={_LISTEN}"),
            *(f"--secure-port={self._port}", "--authorization-mode=RBAC", "--allow-privileged=true"),
            *(f"--tls-cert-file={here / 'apiserver.crt'}", f"--tls-private-key-file={here / 'apiserver.key'}"),
            *(f"--client-ca-file={self.ca_file}", f"--token-auth-file={here / 'tokens.csv'}"),
            *("--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={public}"),
            *(f"--service-account-signing-key-file={private}", "--service-cluster-ip-range=10.96.0.0/16"),
            # A loopback address cannot be an endpoint of the service "kubernetes", so do not try to make it one.
            *("--endpoint-reconciler-type=none", "--enable-priority-and-fairness=false"),
            *("--max-requests-inflight=5000", "--max-mutating-requests-inflight=5000", "--profiling=false"),
            *([] if runs_accounts else ["--disable-admission-plugins=ServiceAccount"]),
            *self._apiserver_flags,
        ]

    def _controller_manager_command(self) -> list[str]:
        program = str(self._assets / "kube-controller-manager")
        help_text = subprocess.run([program, "--help"], capture_output=True, text=True, check=False).stdout
        insecure = ["--port=0"] if " --port int" in help_text else []  # until 1.23 it insists on a fixed port
        return [
            program,
            *(f"--kubeconfig={self.kubeconfig()}", f"--controllers={','.join(self._controllers)}"),
            *("--leader-elect=false", "--secure-port=0", *insecure, f"--root-ca-file={self.ca_file}"),
            *(f"--service-account-private-key-file={self.directory / 'service-account.key'}",),
        ]

    def _is_ready(self) -> bool:
        # The two namespaces are made shortly after the server calls itself ready, and everyone relies on them.
        paths = ("/readyz", "/api/v1/namespaces/kube-system", "/api/v1/namespaces/default")
        try:
            return all(self.request("GET", path)[0] == http.HTTPStatus.OK for path in paths)
        except (OSError, http.client.HTTPException):
            return False

    def _ask_etcd(self, path: str, body: object) -> dict[str, Any]:
        connection = http.client.HTTPConnection(_LISTEN, self._etcd_port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", path, json.dumps(body))
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
        if response.status != http.HTTPStatus.OK:
            raise ControlPlaneError(f"etcd answered {response.status} to {path}: {answer}")
        return answer

    def _stop_servers(self) -> None:
        for name in ("controller_manager", "apiserver", "etcd"):  # those that never came to life have no attribute
            if (server := getattr(self, name, None)) is not None:
                server.stop()


def _make_directory(cleanup: contextlib.ExitStack) -> Path:
    """Make the folder of a control plane, in memory where there is room, locked for as long as it is in use."""
    try:
        in_memory = os.access(_SHARED_MEMORY, os.W_OK) and shutil.disk_usage(_SHARED_MEMORY).free > _ROOM_BYTES
    except OSError:
        in_memory = False
    base = _SHARED_MEMORY if in_memory else Path(tempfile.gettempdir())
    _sweep(base)
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    cleanup.callback(shutil.rmtree, directory, ignore_errors=True)
    lock = cleanup.enter_context((directory / "lock").open("w"))
    fcntl.flock(lock, fcntl.LOCK_EX)
    return directory


def _sweep(base: Path) -> None:
    """Remove the folders of control planes whose Python process was killed: nobody holds their locks."""
    for directory in base.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError), _locked(directory / "lock"):
            shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[IO[str]]:
    """Hold the lock of an abandoned folder; raises OSError where it is in use, someone else's or just being made."""
    with path.open("r+") as lock:
        if time.time() - path.stat().st_mtime < _START_SECONDS:
            raise BlockingIOError(path)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock


def _free_port() -> int:
    """Return a port on which nobody listens now."""
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((_LISTEN, port))
            return port
    raise ControlPlaneError(f"no free port from {_PORTS.start} to {_PORTS.stop}")


def _with_free_ports(start: Callable[[int], None], server: Server) -> None:
    """Start a server on a free port, and on another one where somebody was quicker to take it."""
    for attempt in range(_ATTEMPTS):
        try:
            start(_free_port())
        except ControlPlaneError:
            server.stop()
            if attempt == _ATTEMPTS - 1 or _PORT_TAKEN not in server.tail():
                raise
        else:
            return


def _etcd_is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection(_LISTEN, port, timeout=5)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


def _wait_for(ready: Callable[[], bool], server: Server) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        server.require_alive()
        if time.monotonic() > deadline:
            raise ControlPlaneError(f"{server.name} is not ready after {_START_SECONDS:.0f} s\n{server.tail()}")
        time.sleep(0.05)


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _base64_text(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def main() -> int:
    """Start a control plane, say how to reach it, and keep it until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.controlplane", description=main.__doc__)
    parser.add_argument("--controllers", default="", help="comma-separated controllers to run; * for all of them")
    parser.add_argument("--user", action="append", default=[], metavar="NAME[:GROUP,..]", help="a user with a token")
    options = parser.parse_args()
    declared = (text.partition(":") for text in options.user)
    users = {name: tuple(filter(None, groups.split(","))) for name, _, groups in declared}
    begin = time.monotonic()
    try:
        control_plane = ControlPlane.from_environment(
            controllers=tuple(filter(None, options.controllers.split(","))), users=users
        )
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # a shell's background job ignores the first
            signal.signal(ending, signal.default_int_handler)
        with control_plane:
            for user in users:
                sys.stderr.write(f"# {user}: {control_plane.kubeconfig(user)}\n")
            sys.stderr.write(
                f"# {control_plane.url} is ready after {time.monotonic() - begin:.1f} s; "
                f"logs in {control_plane.directory}; Ctrl-C ends it\n"
            )
            sys.stdout.write(f"export KUBECONFIG={shlex.quote(str(control_plane.kubeconfig()))}\n")
            sys.stdout.flush()
            while True:
                time.sleep(1)
                control_plane.apiserver.require_alive()
    except KeyboardInterrupt:
        return 0
    except ControlPlaneError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
