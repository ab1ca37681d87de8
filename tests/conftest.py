"""What holds for the whole suite: its plugins, and that no property test asks how quick the machine is.

The real API server is started once, whichever folders use it.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.cluster.servers"]

# A machine may be busy with other work; how long an example takes to make or to run says nothing about the code.
settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")
