"""The stable word of each line of the log. The sentence beside it is for people, and may get better words.

Programs that watch the log rely on these: docs/logs.md has the same table. Why they are not where the lines
are: decision 0028.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

OTHER: Final = "other"
"""What libraries and Python itself say."""

CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "listening": "listening",
        "sending to one after the other": "no-ring",
        "fewer clients than limits.connections": "few-open-files",
        "ready": "ready",
        "signalled": "signalled",
        "draining": "draining",
        "not everything could be committed in time": "drain-uncommitted",
        "stopped": "stopped",
        "the node failed": "node-failed",
        "lines of the log are missing": "log-lines-missing",
        "an operator's order": "operator-order",
        "something could not be shown": "not-shown",
        "connection failed": "connection-failed",
        "request failed": "request-failed",
        "a task failed": "task-failed",
        "a span could not be made": "span-failed",
        "ops page failed": "ops-page-failed",
        "ops connection failed": "ops-connection-failed",
        "an exception that nobody could catch": "exception-uncaught",
        "a thread ended on an exception": "thread-failed",
        "clients are turned away": "clients-turned-away",
        "no PROXY header": "proxy-header-missing",
        "PROXY header of nobody trusted": "proxy-untrusted",
        "a page of another origin was refused": "origin-refused",
        "an issuer does not give its keys": "issuer-away",
        "an ID token has no nickname": "id-token-nameless",
        "certificate taken": "certificate-taken",
        "certificate not taken": "certificate-not-taken",
        "filter taken": "filter-taken",
        "filter not taken": "filter-not-taken",
        "tokens read": "tokens-read",
        "new tokens can't be used": "tokens-not-taken",
        "an API request failed": "api-request-failed",
        "redis answers": "redis-answers",
        "redis is away": "redis-away",
        "redis refuses commands": "redis-refuses-commands",
        "redis is another server": "redis-other-server",
        "the master is another one": "redis-other-master",
        "waiting for redis": "redis-awaited",
        "redis should be set otherwise": "redis-advice",
        "bus lost": "bus-lost",
        "bus of rooms lost": "bus-of-rooms-lost",
        "a room is left for later": "room-left",
        "log was trimmed past a gap": "log-trimmed",
        "fenced: this node was thought dead": "fenced",
        "redis lost data: a new epoch begins": "redis-lost-data",
        "burying a node": "burial-begun",
        "buried a node": "burial-done",
        "not deregistered": "not-deregistered",
        "store failed": "store-failed",
        "started an embedded Redis": "embedded-started",
        "stopping the Redis that an earlier node left": "embedded-left-over",
        "the embedded Redis died and is started again": "embedded-died",
        "the embedded Redis does not start": "embedded-not-started",
        "the embedded Redis does not stop by itself": "embedded-slow-to-stop",
        "the embedded Redis cannot be stopped": "embedded-not-stopped",
        "webhooks read": "webhooks-read",
        "new webhooks can't be used": "webhooks-not-read",
        "a webhook is relayed here": "webhook-relayed",
        "a webhook does not take a delivery": "webhook-refused",
        "a delivery of a webhook is given up": "webhook-dead-letter",
        "a webhook is disabled": "webhook-disabled",
        "a webhook's relay failed": "webhook-relay-failed",
    }
)
"""By the line's sentence."""
