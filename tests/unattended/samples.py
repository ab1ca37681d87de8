"""A cluster with Leases, and runs that want one. No test belongs in here."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.fakes import NOW, Call, FakeCluster, FixedClock
from zenctl.core.objects import LEASE, NAMESPACE, ObjectKey
from zenctl.ports import Clock
from zenctl.unattended.lease import HeldLease, LeasePorts, micro_time

KEY = ObjectKey("zen-system", "zenctl-backup")


class Town:
    """One cluster, whose clock and ours tick together but need not agree."""

    def __init__(self) -> None:
        self.cluster = FakeCluster(LEASE, NAMESPACE)
        self.cluster.put(NAMESPACE, {"metadata": {"name": KEY.namespace}})
        self.clock = FixedClock(NOW + timedelta(hours=3))
        self.said: list[str] = []

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        self.cluster.time += timedelta(seconds=seconds)

    def lease(self, holder: str = "pod-a_1", **options: Any) -> HeldLease:
        """Return a Lease that somebody wants, without a thread that renews it by itself."""
        made = HeldLease(self.ports(self.clock), KEY, holder, "backup", **options)
        made._keep_renewing = lambda: None  # type: ignore[method-assign]
        return made

    def ports(self, clock: Clock) -> LeasePorts:
        return LeasePorts(self.cluster, self.cluster, self.cluster, clock, self.said.append)

    def meanwhile(self, seconds: float, do: Callable[[], object]) -> None:
        """Do something, once, when somebody has slept so long."""
        due = self.clock.monotonic() + seconds

        def hook(_call: Call) -> None:
            if self.clock.monotonic() >= due and hook in self.cluster.hooks:
                self.cluster.hooks.remove(hook)
                do()

        self.cluster.hooks.append(hook)

    def spec(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cluster.stored(LEASE, KEY)["spec"]
        return found

    def change(self, **changes: Any) -> None:
        """Let somebody else write into the Lease."""
        document = copy.deepcopy(self.cluster.stored(LEASE, KEY))
        document["spec"] = {**document["spec"], **changes}
        self.cluster.put(LEASE, document)

    def put(self, *, renewed: datetime | str | None, holder: str = "pod-z_9", seconds: int | None = 60) -> None:
        """Let somebody hold it."""
        at = micro_time(renewed) if isinstance(renewed, datetime) else renewed
        spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "acquireTime": at, "renewTime": at}
        metadata = {"name": KEY.name, "namespace": KEY.namespace, "labels": {"kept": "yes"}}
        self.cluster.put(LEASE, {"metadata": metadata, "spec": {**spec, "leaseTransitions": 4}})
