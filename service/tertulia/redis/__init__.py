"""The way to Redis: by redis-py, hot connections, links, masters, errors, a server of its own."""

import sys

# If OpenTelemetry is installed, redis-py would load its SDK for metrics of its own. That costs 3 MB, and a
# tenth of a second at each start.
if "opentelemetry" not in sys.modules:
    sys.modules["opentelemetry"] = None  # type: ignore[assignment]  # this says that it is not there
    import redis  # noqa: F401 (to have it loaded just now)

    del sys.modules["opentelemetry"]
