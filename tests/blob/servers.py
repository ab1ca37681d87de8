"""The servers of object stores that the tests run against: moto for S3, azurite for Azure. No test belongs in here.

Each is a process on a loopback port, started once by whoever needs it. They come from ``make`` (see the Makefile);
where one is missing its tests are skipped by name.
"""

from __future__ import annotations

import base64
import email.utils
import hashlib
import hmac
import http.client
import itertools
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import urlsplit

STORES = Path(__file__).parents[2] / ".work" / "stores"
_MOTO = STORES / "moto" / "bin" / "python"
_AZURITE = STORES / "azurite" / "node_modules" / ".bin" / "azurite-blob"
_AZURITE_DONE = STORES / "azurite" / ".installed"

ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that every azurite has, and its published key."""
SECRET = "a-secret-that-nobody-may-print"
NO_METADATA = {
    # Whatever asks for credentials must not ask outside of this machine.
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_METADATA_ENDPOINT": "http://127.0.0.1:9",
    "AZURE_MSI_ENDPOINT": "http://127.0.0.1:9",
    "GCE_METADATA_HOST": "127.0.0.1:9",
}
_numbers = itertools.count(1)


class Server(NamedTuple):
    """A running server: its kind, its address, and the environment in which a client has its credentials."""

    scheme: str
    url: str
    environ: dict[str, str]

    def new_bucket(self) -> str:
        """Make an empty bucket or container, and return its name."""
        name = f"bucket{next(_numbers)}"
        if self.scheme == "az":
            _make_container(self.url, name)
        else:
            self.ask("PUT", f"/{name}")
        return name

    def at(self, bucket: str, prefix: str = "", through: str = "") -> str:
        """Return the URL of a store in a bucket, reached directly or through another address."""
        endpoint = through or self.url
        account = ""
        if self.scheme == "az":
            endpoint, account = f"{endpoint}/{ACCOUNT}", f"&account={ACCOUNT}"
        return f"{self.scheme}://{bucket}/{prefix}?endpoint={endpoint}{account}"

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None) -> bytes:
        """Send a request past the client under test; fail where it is refused."""
        return ask(self.url, method, path, headers)

    def unfinished(self, bucket: str) -> list[str]:
        """Return the keys of the multipart uploads that were neither completed nor aborted."""
        return re.findall(r"<Key>([^<]*)</Key>", self.ask("GET", f"/{bucket}?uploads").decode())


def ask(url: str, method: str, path: str, headers: dict[str, str] | None = None) -> bytes:
    """Send one request and return the body of its answer."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request(method, path, headers={"Content-Length": "0", **(headers or {})})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status < 300, (answer.status, body)
        return body
    finally:
        connection.close()


def _make_container(url: str, name: str) -> None:
    date, version = email.utils.formatdate(usegmt=True), "2021-08-06"
    signed = (
        f"PUT{chr(10) * 12}x-ms-date:{date}\nx-ms-version:{version}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    )
    digest = hmac.new(base64.b64decode(ACCOUNT_KEY), signed.encode(), hashlib.sha256).digest()
    headers = {
        "x-ms-date": date,
        "x-ms-version": version,
        "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
    }
    ask(url, "PUT", f"/{ACCOUNT}/{name}?restype=container", headers)


def moto_missing() -> str:
    """Say why there is no S3 server; "" where there is one."""
    return "" if _MOTO.exists() else "no S3 server: make test installs moto"


def azurite_missing() -> str:
    """Say why there is no Azure server; "" where there is one."""
    return "" if _AZURITE_DONE.exists() else "no Azure server: make test installs azurite where there is npm"


@contextmanager
def moto() -> Iterator[Server]:
    """Run an S3 server."""
    line = [str(_MOTO), "-W", "ignore", "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with _running(line, r"Running on (http://\S+)") as url:
        yield Server("s3", url, {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET, **NO_METADATA})


@contextmanager
def azurite() -> Iterator[Server]:
    """Run an Azure Blob server."""
    line = [
        str(_AZURITE), "--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", "0",
        "--skipApiVersionCheck", "--disableTelemetry", "--silent",
    ]  # fmt: skip
    with _running(line, r"successfully listens on (http://\S+)") as url:
        yield Server("az", url, {"AZURE_STORAGE_KEY": ACCOUNT_KEY, **NO_METADATA})


@contextmanager
def _running(line: list[str], listening: str) -> Iterator[str]:
    """Run a server until its output names the address where it listens, and end it afterwards."""
    with tempfile.TemporaryFile() as output:  # a pipe that nobody reads would stop it one day
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield _address(process, output, listening)
        finally:
            process.terminate()
            process.wait(10)


def _address(process: subprocess.Popen[bytes], output: IO[bytes], listening: str) -> str:
    for _ in range(600):
        said = os.pread(output.fileno(), 65536, 0).decode()
        if found := re.search(listening, said):
            return found[1]
        assert process.poll() is None, said
        time.sleep(0.05)
    raise TimeoutError(said)
