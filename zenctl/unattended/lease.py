"""A Lease that keeps two runs from overlapping: taken, renewed in the background, given back.

Its times are the API server's own, by its Date header, for all who take part: no machine's clock has to be right.
Between two looks at that clock only durations are measured here. One that is held is watched until its holder has
proved to live, by renewing it, or it has run out: a run that was killed costs the next one a minute, not the night.

Losing it is noticed here and acted upon by whoever works under it: ``check`` raises, and nothing is interrupted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from typing import Any, NamedTuple, Protocol

import msgspec

from zenctl.core.durations import humanise
from zenctl.core.instants import read_instant
from zenctl.core.objects import LEASE, Metadata, ObjectKey, RawObject
from zenctl.core.text import printable
from zenctl.errors import Conflict, Denied, NotFound, Refused, Unreachable, ZenctlError
from zenctl.ports import Clock, ClusterInfo, ObjectReader, ObjectWriter

_LOG = logging.getLogger(__name__)

DURATION_SECONDS = 60.0
"""How long a holder who is gone keeps others out, but for the margin."""
MARGIN_SECONDS = 15.0
"""How much later than its end a Lease is taken over: Date has whole seconds, and API servers differ a little."""
_LOOK_EVERY_SECONDS = 2.0
_LONGEST_WATCH_SECONDS = 300.0
_ATTEMPTS = 3
_FAREWELL_SECONDS = 5.0


class Objects(ObjectReader, ObjectWriter, Protocol):
    """Reading and writing objects."""


class LeasePorts(NamedTuple):
    """What a Lease needs of the world."""

    cluster: Objects
    """For taking it, with all the patience of the command."""
    brief: Objects
    """For renewing and giving back, which must not take long."""
    info: ClusterInfo
    clock: Clock
    say: Callable[[str], None]
    """Tells a person why it takes so long."""


class LeaseSpec(msgspec.Struct, frozen=True, rename="camel"):
    """What a Lease says."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: Any = None
    renew_time: Any = None
    lease_transitions: int | None = None


class LeaseFields(msgspec.Struct, frozen=True):
    """Who a Lease is, and what it says."""

    metadata: Metadata = Metadata()
    spec: LeaseSpec = LeaseSpec()


def free_in_seconds(spec: LeaseSpec, now: datetime) -> float:
    """Return how long a Lease must stay untouched from now on to be free; 0 is free now.

    Where its times are unreadable or in the future it has to stay so for as long as it lasts.
    """
    if not spec.holder_identity:
        return 0.0
    lasts_seconds = (spec.lease_duration_seconds or DURATION_SECONDS) + MARGIN_SECONDS
    renewed = read_instant(spec.renew_time).instant
    age_seconds = (now - renewed).total_seconds() if renewed else 0.0
    return min(max(0.0, lasts_seconds - max(0.0, age_seconds)), _LONGEST_WATCH_SECONDS)


class HeldLease:
    """One Lease and its renewal. Any thread may check; the rest belongs to the one that took it.

    ``what`` completes the sentence "another ... is running".
    """

    def __init__(
        self, ports: LeasePorts, key: ObjectKey, holder: str, what: str, *, seconds: float = DURATION_SECONDS
    ) -> None:
        self._ports, self._key, self._holder, self._what, self._seconds = ports, key, holder, what, seconds
        self._say = ports.say
        self._writing = Lock()
        self._ended = Event()
        self._thread: Thread | None = None
        self._document: dict[str, Any] = {}
        self._lost = ""
        self._trouble = ""
        self._renewed_at = 0.0
        self._clocks: tuple[datetime, float] | None = None

    def acquire(self) -> str:
        """Take it and begin to renew it; return "", or why this cluster has none for us.

        Raises Refused where another run holds it, and the cluster's errors.
        """
        self._clocks = self._ports.info.now(), self._ports.clock.monotonic()
        for _ in range(_ATTEMPTS):
            try:
                self._take()
            except Conflict:  # somebody was faster; see who
                continue
            except (Denied, NotFound) as error:
                return error.message
            self._thread = Thread(target=self._keep_renewing, name="lease", daemon=True)
            self._thread.start()
            return ""
        raise Refused(f"lease {self._key} is being written by others all the time", hint="try again in a minute")

    def check(self) -> None:
        """Raise Refused where it is held no more, or was not renewed for so long that others may take it.

        One that nobody could renew, because the API server was away, is renewed now: the write succeeds only where
        nobody else has taken it since.
        """
        if not self._lost and self._silent_seconds() >= self._seconds:
            self.renew()
        silent_seconds = self._silent_seconds()
        if not self._lost and silent_seconds < self._seconds:
            return
        why = self._lost or f"it could not be renewed for {humanise(timedelta(seconds=silent_seconds))}"
        raise Refused(
            f"lease {self._key} is lost: {why}; this {self._what} was stopped"
            + (f" ({self._trouble})" if self._trouble and not self._lost else ""),
            hint="run it again",
        )

    def _silent_seconds(self) -> float:
        return self._ports.clock.monotonic() - self._renewed_at

    def renew(self) -> None:
        """Renew it once. Troubles are noted, for they may pass before it has run out."""
        with self._writing:
            try:
                self._write_renewal()
            except NotFound:
                self._lost = "somebody deleted it"
            except ZenctlError as error:
                self._trouble = error.message
                _LOG.debug("lease %s was not renewed: %s", self._key, error.message)
            else:
                self._trouble = ""

    def release(self) -> None:
        """Give it back, so that the next run need not wait; harmless where it is lost.

        Raises the cluster's errors.
        """
        self._ended.set()
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if not self._writing.acquire(timeout=_FAREWELL_SECONDS):
            raise Unreachable(f"cannot give lease {self._key} back: it is being renewed, and no answer comes")
        try:
            if not self._lost:
                self._lost = "it was given back"
                self._write(self._ports.brief, {"holderIdentity": None, "leaseDurationSeconds": 1})
        finally:
            self._writing.release()
        thread.join(_FAREWELL_SECONDS)

    # -- within --------------------------------------------------------------------------------------------

    def _keep_renewing(self) -> None:
        while not self._lost and not self._ended.wait(self._seconds / 3):
            self.renew()

    def _write_renewal(self) -> None:
        try:
            self._write(self._ports.brief, {})
        except Conflict:
            # Somebody wrote it. Where only a label changed, or our own answer was lost, it still is ours.
            found = self._ports.brief.get(LEASE, self._key, LeaseFields)
            if found.fields.spec.holder_identity != self._holder:
                taken_by = found.fields.spec.holder_identity or "nobody"
                self._lost = f"it is held by {printable(taken_by)}"
                raise
            self._document = msgspec.json.decode(found.body)
            self._write(self._ports.brief, {})

    def _take(self) -> None:
        """Write our name into it where it is free. Raises Refused, and Conflict where somebody was faster."""
        ours = {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": max(1, round(self._seconds)),
            "acquireTime": micro_time(self._now()),
        }
        try:
            found = self._ports.cluster.get(LEASE, self._key, LeaseFields)
        except NotFound:
            head = {"apiVersion": LEASE.api_version, "kind": LEASE.kind}
            self._document = {**head, "metadata": {"name": self._key.name, "namespace": self._key.namespace}}
            self._write(self._ports.cluster, {**ours, "leaseTransitions": 0})
            return
        self._require_free(found)
        self._document = msgspec.json.decode(found.body)
        transitions = (found.fields.spec.lease_transitions or 0) + 1
        self._write(self._ports.cluster, {**ours, "leaseTransitions": transitions})

    def _require_free(self, found: RawObject[LeaseFields]) -> None:
        spec = found.fields.spec
        if spec.holder_identity == self._holder:  # our own answer was lost
            return
        watched_seconds = free_in_seconds(spec, self._now())
        if watched_seconds:
            facts = _facts(spec)
            self._say(f"lease {self._key} is {facts}; seeing whether its holder lives")
            if not self._falls_free(found, watched_seconds):
                raise Refused(
                    f"another {self._what} is running: lease {self._key} is {facts}",
                    hint="wait until it has ended, or work beside it with --no-lock",
                )

    def _falls_free(self, found: RawObject[LeaseFields], seconds: float) -> bool:
        """Watch a Lease until it is given back or has run out; say no where somebody renewed or took it."""
        until = self._ports.clock.monotonic() + seconds
        while (left := until - self._ports.clock.monotonic()) > 0:
            self._ports.clock.sleep(min(_LOOK_EVERY_SECONDS, left))
            try:
                now = self._ports.cluster.get(LEASE, self._key, LeaseFields).fields
            except NotFound as gone:
                raise Conflict("it was deleted", status=409) from gone
            if now.metadata.resource_version != found.fields.metadata.resource_version:
                if now.spec.holder_identity:
                    return False
                raise Conflict("it was given back", status=409)  # begin again with what is there now
        return True

    def _write(self, cluster: ObjectWriter, changes: dict[str, Any]) -> None:
        began = self._ports.clock.monotonic()
        spec = {**self._document.get("spec", {}), **changes, "renewTime": micro_time(self._now())}
        body = msgspec.json.encode({**self._document, "spec": spec})
        written = (
            cluster.replace(LEASE, self._key, body)
            if "resourceVersion" in self._document["metadata"]
            else cluster.create(LEASE, self._key.namespace, body)
        )
        self._document, self._renewed_at = msgspec.json.decode(written.body), began

    def _now(self) -> datetime:
        """Return the API server's time, reckoned on from the one look at it."""
        assert self._clocks is not None
        server, then = self._clocks
        return server + timedelta(seconds=self._ports.clock.monotonic() - then)


def _facts(spec: LeaseSpec) -> str:
    since, renewed = (read_instant(value).instant for value in (spec.acquire_time, spec.renew_time))
    facts = [f"held by {printable(spec.holder_identity or '')}"]
    facts += [f"since {since:%Y-%m-%d %H:%M:%S}Z"] if since else []
    facts += [f"last renewed {renewed:%H:%M:%S}Z"] if renewed else []
    return ", ".join(facts)


def micro_time(instant: datetime) -> str:
    """Return an instant in the one form that the API takes for a MicroTime."""
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond:06d}Z"
