"""All readers of bytes from outside. Who writes another one, adds it here."""

from fuzz.readers import dialects, edge, from_redis, load, operators, peers, webhooks
from fuzz.target import Target

TARGETS: tuple[Target, ...] = (
    *dialects.TARGETS,
    *edge.TARGETS,
    *from_redis.TARGETS,
    *peers.TARGETS,
    *load.TARGETS,
    *operators.TARGETS,
    *webhooks.TARGETS,
)
