"""What the API counts and measures. No label can be grown by a client."""

from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
OTHER_METHOD: Final = "other"
NO_ROUTE: Final = "none"
"""The route of what there is not."""


class StreamEnd(StrEnum):
    """Why a stream of events ended."""

    CLIENT = "client"
    """Its client has gone."""
    TOO_SLOW = "too_slow"
    """Its client did not take what happened."""
    TOKEN = "token"  # noqa: S105 (a word, and no secret)
    """Its token may not read that room any more."""
    STOPPING = "stopping"
    """The process ends."""
    FAILED = "failed"
    """A defect of ours."""


class SayingOutcome(StrEnum):
    """What came of a text that was to be said."""

    SAID = "said"
    AGAIN = "again"
    """It was said before, with the same key."""
    REFUSED = "refused"
    AWAY = "away"
    """Redis, or a replica that has to have it, was not there."""


class ApiMetrics:
    """All of it, registered in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "tertulia_api_requests",
            "Requests to the API that were answered, by the template of their path.",
            ["route", "method", "status"],
            registry=registry,
        )
        self.request_duration = Histogram(
            "tertulia_api_request_duration_seconds",
            "Time from a request's header to the begin of its answer.",
            ["route"],
            registry=registry,
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
        )
        self.defects = Counter(
            "tertulia_api_defects",
            "Requests that failed, or got half an answer, through a defect.",
            registry=registry,
        )
        self.connections = Gauge(
            "tertulia_api_connections", "Open connections to the API.", registry=registry
        )
        self.turned_away = Counter(
            "tertulia_api_turned_away",
            "Connections to the API that were closed at once, as there were too many.",
            registry=registry,
        )
        self.unreadable = Counter(
            "tertulia_api_unreadable_requests",
            "Requests that are no HTTP, or did not come in time.",
            registry=registry,
        )
        self.streams = Gauge("tertulia_api_streams", "Open streams of events.", registry=registry)
        ends = Counter(
            "tertulia_api_stream_ends",
            "Streams of events that ended, by why.",
            ["reason"],
            registry=registry,
        )
        self.stream_ends = {it: ends.labels(it.value) for it in StreamEnd}
        self.events = Counter(
            "tertulia_api_events", "Events written to streams.", registry=registry
        )
        self.gaps = Counter(
            "tertulia_api_gaps",
            "Times that a stream was told that something is missing.",
            registry=registry,
        )
        posts = Counter(
            "tertulia_api_posts",
            "Texts that were to be said, by what came of them.",
            ["outcome"],
            registry=registry,
        )
        self.posts = {it: posts.labels(it.value) for it in SayingOutcome}
        self.redis_away = Counter(
            "tertulia_api_redis_away",
            "Requests that were answered that Redis can't be used.",
            registry=registry,
        )
        self.redis_up = Gauge(
            "tertulia_api_redis_up", "1 while Redis answers, else 0.", registry=registry
        )
        self._certificates = {
            "expiry": Gauge(
                "tertulia_api_certificate_expiry_timestamp_seconds",
                "When the certificate in use ends, in Unix time; 0: it is in the clear.",
                registry=registry,
            ),
            "refused": Gauge(
                "tertulia_api_certificate_refused",
                "1 while a new certificate could not be used.",
                registry=registry,
            ),
        }
        self._reload_failures = Counter(
            "tertulia_api_certificate_reload_failures",
            "Times that a new certificate could not be used, and the old one stayed.",
            registry=registry,
        )

    # As a listener's certificate counts.

    def certificate_expiry(self, _listener: str) -> Gauge:
        """Return when the certificate ends."""
        return self._certificates["expiry"]

    def certificate_refused(self, _listener: str) -> Gauge:
        """Return whether a new one could not be used."""
        return self._certificates["refused"]

    def certificate_reload_failures(self, _listener: str) -> Counter:
        """Return how often."""
        return self._reload_failures
