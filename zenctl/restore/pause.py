"""Stopping the watcher while a restore runs, and always starting it again.

The number of replicas to go back to is written into the Deployment by the very request that scales it down. So a
restore that is killed leaves a watcher that says of itself how to start it, and the next one that pauses it does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from zenctl.core.objects import DEPLOYMENT, KeyFields, ObjectKey, ResourceType
from zenctl.core.provenance import PREFIX
from zenctl.errors import Conflict, NotFound, Refused, Unreachable, UsageError, ZenctlError
from zenctl.ports import Clock, Discovery, ListQuery, ObjectReader, ObjectWriter
from zenctl.product.labels import is_watcher
from zenctl.restore.plan import Plan

PAUSED_REPLICAS = PREFIX + "paused-replicas"
_WAIT_SECONDS = 120.0
_POLL_SECONDS = 0.5
_TRIES = 5
_Result = TypeVar("_Result")


class PausePorts(Protocol):
    """What pausing needs of the world."""

    @property
    def discovery(self) -> Discovery:
        """What the cluster serves."""

    @property
    def reader(self) -> ObjectReader:
        """Reading objects."""

    @property
    def writer(self) -> ObjectWriter:
        """Writing objects."""

    @property
    def clock(self) -> Clock:
        """The local time, to wait by."""


class Paused(NamedTuple):
    """A watcher that was scaled down."""

    key: ObjectKey
    replicas: int
    """What it goes back to."""


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    namespace: str = ""
    generation: int = 0
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _Spec(msgspec.Struct, frozen=True):
    replicas: int = 1


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    replicas: int = 0
    observed_generation: int = 0


class _Fields(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()
    spec: _Spec = _Spec()
    status: _Status = _Status()


def require_pausable(plan: Plan) -> None:
    """Raise UsageError where a restore would write the very Deployments that are paused meanwhile."""
    if any(batch.batch.kind == DEPLOYMENT.kind and batch.writes for batch in plan.batches):
        raise UsageError(
            "--pause-watcher does not go with restoring Deployments: each would undo the other",
            hint="restore the Deployments in a run of their own, without --pause-watcher",
        )


def pause(ports: PausePorts, namespace: str) -> tuple[Paused, ...]:
    """Scale the watcher in a namespace to nothing, and wait until it is gone.

    One that an earlier restore left paused is taken over with the replicas that it had first. Raises Refused where
    there is no watcher, and Unreachable where its pods do not go; then those that were paused run again.
    """
    resource = _deployments(ports.discovery)
    found = [(key, fields) for key, fields in _watchers(ports.reader, resource, namespace)]
    if not found:
        raise Refused(
            f"there is no watcher in namespace {namespace} to pause",
            hint="leave --pause-watcher out, or name its namespace with --system-namespace",
        )
    paused: list[Paused] = []
    try:
        for key, fields in found:
            replicas = _replicas(fields)
            _scale(ports, resource, key, 0, {PAUSED_REPLICAS: str(replicas)})
            paused.append(Paused(key, replicas))
        for each in paused:
            _wait_until_gone(ports, resource, each.key)
    except BaseException:
        resume(ports, tuple(paused))
        raise
    return tuple(paused)


def resume(ports: PausePorts, paused: tuple[Paused, ...]) -> tuple[str, ...]:
    """Scale watchers to what they had; return in words what did not succeed. Never raises an error of ours."""
    failed: list[str] = []
    for each in paused:
        try:
            _scale(ports, _deployments(ports.discovery), each.key, each.replicas, {PAUSED_REPLICAS: None})
        except ZenctlError as error:
            failed.append(
                f"the watcher {each.key} is still scaled to 0: {error.message}; run kubectl scale"
                f" -n {each.key.namespace} deployment/{each.key.name} --replicas={each.replicas}"
            )
    return tuple(failed)


def while_paused(
    ports: PausePorts, namespace: str, do: Callable[[], _Result], warn: Callable[[str], None]
) -> tuple[_Result, tuple[str, ...]]:
    """Pause the watcher, do something, and start it again whatever happens meanwhile.

    Returns the result and in words what could not be started again, of which ``warn`` hears in any case.
    """
    paused = pause(ports, namespace)
    stuck: tuple[str, ...] = ()
    try:
        result = do()
    finally:
        stuck = resume(ports, paused)
        for text in stuck:
            warn(text)
    return result, stuck


def left_paused(ports: PausePorts, namespace: str) -> tuple[str, ...]:
    """Return the watchers of a namespace that a restore left paused; () where nobody may look."""
    try:
        found = list(_watchers(ports.reader, _deployments(ports.discovery), namespace))
    except ZenctlError:
        return ()
    return tuple(str(key) for key, fields in found if PAUSED_REPLICAS in (fields.metadata.annotations or {}))


def _deployments(discovery: Discovery) -> ResourceType:
    try:
        return discovery.resolve("deployments.apps")
    except UsageError as error:
        raise Refused("the cluster serves no Deployments, so there is no watcher to pause") from error


def _watchers(reader: ObjectReader, resource: ResourceType, namespace: str) -> Iterator[tuple[ObjectKey, _Fields]]:
    for page in reader.pages(resource, _Fields, ListQuery(namespace)):
        for item in page.objects:
            if is_watcher(item.fields.metadata.labels or {}):
                yield item.key, item.fields


def _replicas(fields: _Fields) -> int:
    noted = (fields.metadata.annotations or {}).get(PAUSED_REPLICAS, "")
    return int(noted) if noted.isdecimal() else fields.spec.replicas


def _scale(
    ports: PausePorts, resource: ResourceType, key: ObjectKey, replicas: int, notes: Mapping[str, str | None]
) -> None:
    """Set replicas and annotations in one write, bound to the object that was just read."""
    for attempt in range(_TRIES):
        body: dict[str, Any] = msgspec.json.decode(ports.reader.get(resource, key, KeyFields).body)
        annotations = {**(body["metadata"].get("annotations") or {}), **notes}
        body["metadata"]["annotations"] = {name: text for name, text in annotations.items() if text is not None}
        body["spec"]["replicas"] = replicas
        try:
            ports.writer.replace(resource, key, msgspec.json.encode(body))
        except Conflict:
            if attempt == _TRIES - 1:
                raise
        else:
            return


def _wait_until_gone(ports: PausePorts, resource: ResourceType, key: ObjectKey) -> None:
    """Wait until a Deployment has no pods. Raises Unreachable after two minutes."""
    deadline_seconds = ports.clock.monotonic() + _WAIT_SECONDS
    while True:
        try:
            fields = ports.reader.get(resource, key, _Fields).fields
        except NotFound:
            return
        if not fields.status.replicas and fields.status.observed_generation >= fields.metadata.generation:
            return
        if ports.clock.monotonic() > deadline_seconds:
            raise Unreachable(
                f"the pods of the watcher {key} do not go after it was scaled down",
                hint=f"see kubectl get pods -n {key.namespace}; it was scaled back, and nothing was restored",
            )
        ports.clock.sleep(_POLL_SECONDS)
