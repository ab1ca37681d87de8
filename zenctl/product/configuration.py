"""The configuration of the watcher: every setting once, with its default, its bounds and its environment variables.

The names of variables are those that users have set for years. What is a secret comes from the environment
or a file that is named, never from the configuration itself. Reading it is ``settings``' business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from zenctl.core.observation import GROUP, Severity
from zenctl.product.custom import CustomSource
from zenctl.product.filters import Filter
from zenctl.product.labels import SYSTEM_NAMESPACE
from zenctl.product.sources import NAMES, SOURCES, Source

MODES: Mapping[str, frozenset[str]] = {
    "all": frozenset(NAMES),
    "conservative": frozenset(NAMES) - {"falco"},
    **{
        f"{category}-only": frozenset(source.name for source in SOURCES if source.category == category)
        for category in ("security", "compliance")
    },
    **{f"{name}-only": frozenset({name}) for name in NAMES},
}
"""Which sources a mode enables; what is said of one source by name holds over it."""

TOKEN_VARIABLE = "WEBHOOK_AUTH_TOKEN"  # noqa: S105 (its name, not the token)
"""The bearer token of webhooks itself, where no file holds it; a secret, so no setting."""

_SECOND = timedelta(seconds=1)


def about(
    text: str, *variables: str, least: Any = None, most: Any = None, choices: tuple[str, ...] = ()
) -> Mapping[str, Any]:
    """Return what reading and documentation need to know of a setting."""
    return {"help": text, "variables": variables, "least": least, "most": most, "choices": choices}


@dataclass(frozen=True, slots=True, kw_only=True)
class Http:
    """How webhooks, probes and metrics are served."""

    port: int = field(
        default=8080, metadata=about("port of probes, metrics and webhooks", "WATCHER_PORT", least=1, most=65_535)
    )
    token_file: str = field(
        default="", metadata=about("file with the bearer token of webhooks; it is read again when it changes")
    )
    allowed_networks: tuple[str, ...] = field(
        default=(),
        metadata=about("addresses or networks that may post to webhooks; all where empty", "WEBHOOK_ALLOWED_IPS"),
    )
    unauthenticated: bool = field(
        default=False, metadata=about("take webhooks without a token or a list of networks", "WEBHOOK_AUTH_DISABLED")
    )
    trusted_proxies: tuple[str, ...] = field(
        default=(), metadata=about("networks whose X-Forwarded-For is believed", "SERVER_TRUSTED_PROXY_CIDRS")
    )
    requests_per_minute: int = field(
        default=60_000,  # the API server is one client, however much it has to say
        metadata=about("requests a minute of one client to webhooks", "WEBHOOK_RATE_LIMIT", least=1, most=10_000_000),
    )
    max_request_bytes: int = field(
        default=10_485_760,  # a batch of 400 audit events with bodies
        metadata=about("largest body of a webhook", "SERVER_MAX_REQUEST_BYTES", least=1_024, most=67_108_864),
    )
    shutdown_timeout: timedelta = field(
        default=timedelta(seconds=10),
        metadata=about(
            "how long requests may take to end at shutdown",
            "HTTP_SHUTDOWN_TIMEOUT",
            least=_SECOND,
            most=timedelta(minutes=10),
        ),
    )
    debug_listen: str = field(
        default="", metadata=about("address:port of the heap and thread dumps; off where empty")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Dedup:
    """How recurrences are told from news."""

    window: timedelta = field(
        default=timedelta(seconds=60),
        metadata=about(
            "how long a repeat of a finding is only counted",
            "DEDUP_WINDOW_SECONDS",
            least=timedelta(0),
            most=timedelta(days=1),
        ),
    )
    max_entries: int = field(
        default=10_000, metadata=about("findings that are remembered", "DEDUP_MAX_SIZE", least=100, most=1_000_000)
    )
    max_events_per_second: int = field(
        default=500,
        metadata=about(
            "events a second of one source that are posted", "DEDUP_MAX_RATE_PER_SOURCE", least=1, most=100_000
        ),
    )
    burst: int = field(
        default=10_000,
        metadata=about("events of one source at once that are posted", "DEDUP_RATE_BURST", least=1, most=1_000_000),
    )
    order: str = field(
        default="filter_first",
        metadata=about("what comes first, the filter or deduplication", choices=("filter_first", "dedup_first")),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What the watcher deletes by itself."""

    ttl: timedelta = field(
        default=timedelta(days=7),
        metadata=about(
            "age at which Resolved and Archived Observations go",
            "OBSERVATION_TTL_SECONDS",
            least=timedelta(minutes=1),
            most=timedelta(days=365),
        ),
    )
    interval: timedelta = field(
        default=timedelta(hours=1),
        metadata=about("time between two runs", "GC_INTERVAL", least=timedelta(minutes=1), most=timedelta(days=7)),
    )
    timeout: timedelta = field(
        default=timedelta(minutes=5),
        metadata=about("how long a run may take", "GC_TIMEOUT", least=_SECOND, most=timedelta(hours=6)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What keeps a cluster's storage safe from one noisy tool."""

    live_per_source: int = field(
        default=20_000,
        metadata=about("Observations of one source that are not Resolved or Archived", least=1, most=1_000_000),
    )
    resolve_gone: bool = field(default=True, metadata=about("resolve findings that a complete report no longer has"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Election:
    """How one of several replicas is chosen to watch and poll."""

    mode: str = field(
        default="builtin", metadata=about("elect a leader, or be the only one", choices=("builtin", "disabled"))
    )
    name: str = field(default="zen-watcher-leader-election", metadata=about("name of the Lease"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterSource:
    """Where the filter is, beside what stands in this configuration."""

    config_map: str = field(
        default="zen-watcher-filter", metadata=about("ConfigMap with the filter", "FILTER_CONFIGMAP_NAME")
    )
    namespace: str = field(
        default="", metadata=about("its namespace; the system namespace where empty", "FILTER_CONFIGMAP_NAMESPACE")
    )
    key: str = field(default="filter.json", metadata=about("its key", "FILTER_CONFIGMAP_KEY"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What is logged."""

    level: str = field(
        default="info",
        metadata=about("least level that is logged", "LOG_LEVEL", choices=("debug", "info", "warning", "error")),
    )
    format: str = field(
        default="json", metadata=about("one JSON object a line, or the plain lines", choices=("json", "text"))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """What may be said of one source."""

    enabled: bool | None = field(default=None, metadata=about("whether it is read; what the mode says where absent"))
    namespace: str = field(default="", metadata=about("where its tool lives, for ConfigMaps and Jobs"))
    interval: timedelta = field(
        default=timedelta(minutes=5),
        metadata=about("time between two looks at its ConfigMaps", least=_SECOND, most=timedelta(days=1)),
    )
    severities: tuple[str, ...] = field(
        default=("CRITICAL", "HIGH"),
        metadata=about("severities whose findings get an Observation each, for trivy", choices=tuple(Severity)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All of it, valid."""

    mode: str = field(default="all", metadata=about("which sources are read", "BEHAVIOR_MODE", choices=tuple(MODES)))
    cluster_name: str = field(default="", metadata=about("name of the cluster in metrics", "CLUSTER_ID"))
    api_group: str = field(default=GROUP, metadata=about("API group of Observations", "ZEN_API_GROUP"))
    system_namespace: str = field(
        default=SYSTEM_NAMESPACE,
        metadata=about("where the watcher is installed", "CONFIG_NAMESPACE", "POD_NAMESPACE"),
    )
    namespaces: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "the only namespaces that are read; all where empty", "WATCH_NAMESPACE", "OBSERVATION_FILTER_NAMESPACE"
        ),
    )
    http: Http = field(default_factory=Http)
    dedup: Dedup = field(default_factory=Dedup)
    retention: Retention = field(default_factory=Retention)
    limits: Limits = field(default_factory=Limits)
    leader_election: Election = field(default_factory=Election)
    filter_source: FilterSource = field(default_factory=FilterSource)
    log: Log = field(default_factory=Log)
    filter: Filter = field(default_factory=Filter)
    sources: Mapping[str, SourceSettings] = field(default_factory=dict)
    custom: tuple[CustomSource, ...] = ()

    def enabled(self, source: str) -> bool:
        """Say whether a source is read; custom ones are, in every mode but those of a single tool."""
        said = self.sources.get(source, SourceSettings()).enabled
        if said is not None:
            return said
        return source in MODES[self.mode] or any(
            entry.name == source and (self.mode in ("all", "conservative") or f"{entry.category}-only" == self.mode)
            for entry in self.custom
        )

    def namespace_of(self, source: Source) -> str:
        """Return where a source's tool lives."""
        return self.sources.get(source.name, SourceSettings()).namespace or source.namespace
