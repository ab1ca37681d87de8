"""The server: one request in, one response out. It joins the parts of the core and holds their one lock.

The order is a real server's: faults, then authentication, impersonation, authorization, then the resource. What
is not implemented answers 404, 405, 415 or 501.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from itertools import chain
from random import Random

from msgspec import Raw

from zenctl.access.identity import User
from zenctl.core.text import printable
from zenctl.sandbox.apiserver.authentication import Tokens, impersonation
from zenctl.sandbox.apiserver.authorization import Authorizer, attributes_of
from zenctl.sandbox.apiserver.bootstrap import first_objects
from zenctl.sandbox.apiserver.deletes import Deleter
from zenctl.sandbox.apiserver.documents import as_yaml, indented, wants_yaml
from zenctl.sandbox.apiserver.errors import ApiError, PlainPage
from zenctl.sandbox.apiserver.faults import Faults, Verdict
from zenctl.sandbox.apiserver.lifecycle import Controllers
from zenctl.sandbox.apiserver.listing import expired_token
from zenctl.sandbox.apiserver.loading import Loader, Refusal
from zenctl.sandbox.apiserver.messages import JSON, YAML, Request, Response, json_response
from zenctl.sandbox.apiserver.own_paths import OWN, OwnPaths
from zenctl.sandbox.apiserver.pod_logs import LogKey, PodLogs
from zenctl.sandbox.apiserver.registry import Registry
from zenctl.sandbox.apiserver.resources import Resources
from zenctl.sandbox.apiserver.routes import Route, route, truth
from zenctl.sandbox.apiserver.state import State
from zenctl.sandbox.apiserver.store import Store
from zenctl.sandbox.apiserver.writes import Writer
from zenctl.sandbox.snapshot import FORMAT, Head, Line, log_line, packed, text_of, unpacked

_UNCACHED = ("Cache-Control", "no-cache, private")


@dataclass(frozen=True, slots=True)
class Options:
    """How a server is made. The seed decides uids, generated names and faults."""

    seed: int = 0
    history_seconds: float = 300.0
    most_changes: int = 200_000


class ApiServer:
    """A Kubernetes API server without a socket. Safe to call from several threads."""

    def __init__(self, clock: Callable[[], datetime], options: Options = Options()) -> None:
        store = Store(history_seconds=options.history_seconds, most_changes=options.most_changes)
        registry, authorizer = Registry(), Authorizer(store)
        self._options = options
        self._state = state = State(
            clock, Random(options.seed), store, registry, Tokens(), authorizer, Faults(options.seed), PodLogs()
        )
        self._controllers = controllers = Controllers(store, registry, authorizer)
        writer = Writer(store, registry, controllers, clock, state.random)
        deleter = Deleter(writer)
        controllers.attach(writer, deleter)
        self._loader = Loader(writer, registry)
        self._resources = Resources(state, writer, deleter)
        self._own = OwnPaths(state, self._loader)
        self._loader.load(first_objects())

    @property
    def tokens(self) -> Tokens:
        """Who may come in."""
        return self._state.tokens

    @property
    def faults(self) -> Faults:
        """What goes wrong on purpose."""
        return self._state.faults

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        with self._state.lock:
            asked = route(request)
            verdict = Verdict()
            if not asked.path.startswith(OWN):
                verdict = self.faults.judge(asked, lambda: expired_token(request.query))
            try:
                response = _as_wanted(self._answer(asked, request, verdict), request)
            except PlainPage as error:
                response = Response(error.code, error.message.encode(), "text/plain; charset=utf-8")
            except ApiError as error:
                response = replace(json_response(error.code, error.document()), headers=error.headers)
            except Exception as error:  # noqa: BLE001 - the edge: what nobody foresaw is a bug of ours, and says so
                response = _bug(error)
            now = self._state.clock() + verdict.skew
            headers = (("Date", format_datetime(now.astimezone(UTC), usegmt=True)), _UNCACHED, *response.headers)
            return replace(response, headers=headers, mishap=verdict.mishap)

    def call(self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> Response:
        """Answer a request that comes as a call: its method, target, header lines and body."""
        lines: dict[str, tuple[str, ...]] = {}
        for name, value in headers:
            lines[name.lower()] = (*lines.get(name.lower(), ()), value)
        return self.handle(Request.of(method, target, lines, body))

    def _answer(self, asked: Route, request: Request, verdict: Verdict) -> Response:
        if verdict.response is not None:
            return verdict.response
        if verdict.error is not None:
            raise verdict.error
        user = self._admitted(asked, request)
        if asked.about_objects:
            return self._resources.answer(asked, request, user)
        return self._own.answer(request)

    def _admitted(self, asked: Route, request: Request) -> User:
        """Return who the request acts as, if they may do it. Raises ApiError."""
        authorizer, user = self._state.authorizer, self.tokens.user(request)
        acting = impersonation(request)
        if acting is not None:
            for need in acting.needs:
                authorizer.require(user, need)
            user = acting.user
        authorizer.require(user, attributes_of(asked))
        return user

    # -- beside the API ----------------------------------------------------------------------------------

    def load(self, documents: Iterable[object]) -> tuple[int, list[Refusal]]:
        """Put objects in as they are, with status and times; return how many, and which were refused."""
        with self._state.lock:
            return self._loader.load(documents)

    def put_log(self, key: LogKey, text: bytes) -> None:
        """Put a container's log in."""
        with self._state.lock:
            self._state.logs.put(key, text)

    def compact(self) -> None:
        """Forget history, so that every older revision and continue token has expired."""
        with self._state.lock:
            self._state.store.compact()

    def snapshot(self) -> bytes:
        """Return everything that is in it now, for a file."""
        with self._state.lock:
            store = self._state.store
            objects = (
                Line(collection=name, key=key, revision=revision, body=Raw(b"{" + body))
                for name in store.names()
                for key, revision, body in store.collection(name).everything()
            )
            logs = (log_line(key, text) for key, text in self._state.logs.items())
            return packed(Head(FORMAT, store.revision), chain(objects, logs))

    def take_back(self, data: bytes) -> None:
        """Put in what a snapshot holds, in place of everything. Raises Damaged."""
        head, lines = unpacked(data)
        objects = []
        with self._state.lock:
            self._state.logs.clear()
            for line in lines:
                if line.log is not None:
                    self._state.logs.put(LogKey(*line.log), text_of(line))
                else:
                    objects.append((line.collection, line.key, bytes(line.body)[1:], line.revision))
            self._state.store.replace(head.revision, objects)
            # The seed began anew, and what it gave before is in there already.
            self._state.random.seed(f"{self._options.seed}/{head.revision}")
            self._controllers.serve_stored()


def _bug(error: Exception) -> Response:
    """Return a Status for an error that has no business here, with the place that it is from."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" ({place.tb_frame.f_code.co_name}, line {place.tb_lineno})" if place is not None else ""
    message = f"Internal error occurred: a bug of the sandbox: {type(error).__name__}: {printable(str(error))}{where}"
    return json_response(500, ApiError(500, "InternalError", message).document())


def _as_wanted(response: Response, request: Request) -> Response:
    """Return an answer in JSON as the client would rather read it: as YAML, or indented."""
    if response.content_type != JSON or response.stream is not None or not response.body:
        return response
    if 200 <= response.status < 300 and wants_yaml(request):
        return replace(response, body=as_yaml(response.body), content_type=YAML)
    if truth(request.query.get("pretty", "")):
        return replace(response, body=indented(response.body))
    return response
