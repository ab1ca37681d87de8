"""What the parts of one server share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from threading import RLock

from zenctl.sandbox.apiserver.authentication import Tokens
from zenctl.sandbox.apiserver.authorization import Authorizer
from zenctl.sandbox.apiserver.faults import Faults
from zenctl.sandbox.apiserver.pod_logs import PodLogs
from zenctl.sandbox.apiserver.registry import Registry
from zenctl.sandbox.apiserver.store import Store


@dataclass(frozen=True, slots=True)
class State:
    """One server's memory. Whoever touches it holds the lock."""

    clock: Callable[[], datetime]
    random: Random
    store: Store
    registry: Registry
    tokens: Tokens
    authorizer: Authorizer
    faults: Faults
    logs: PodLogs
    lock: RLock = field(default_factory=RLock)

    def now_seconds(self) -> float:
        """Return the clock's time as a number."""
        return self.clock().timestamp()
