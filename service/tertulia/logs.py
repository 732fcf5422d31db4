"""How the node's log is written: for people on a terminal, one JSON object per line elsewhere.

Loggers come from ``structlog.get_logger("name")``; what libraries tell the standard ``logging``
comes out the same way.
"""

import io
import json
import logging
import os
import re
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from tertulia.settings import LogSettings

# Terminal escapes, and what turns or breaks a line: a client's words may get into an error's text.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_CONTROL_IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def configure(
    settings: LogSettings, stream: TextIO | None = None, *, node: str | None = None
) -> None:
    """Send all logs to ``stream`` (default: standard error), in the form that is set.

    ``node`` is who writes it: on each line for machines, which gather those of many.

    Holds for the process; may be called again. A stream that is gone never raises: the node goes
    on without its log.
    """
    out = sys.stderr if stream is None else stream
    for_people = settings.format == "console" or (settings.format == "auto" and out.isatty())
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last = (
        _console(colors=out.isatty() and not os.environ.get("NO_COLOR"))
        if for_people
        else _json(node)
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda name="tertulia", *_: _Line(out, name),
        cache_logger_on_first_use=True,
    )
    handler = _FromStandard(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    for old in [it for it in root.handlers if isinstance(it, _FromStandard)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)


class _FromStandard(logging.StreamHandler[TextIO]):
    """The handler for the standard ``logging``; a class of its own to find it again."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Ignore a stream that is gone, as ``_Line`` does."""


class _Line:
    """Where structlog puts a finished line."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self.name = name

    def msg(self, line: str) -> None:
        try:
            # One write, so that lines of two threads don't mix.
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass  # whoever read the log is gone; that is no reason to stop

    debug = info = warning = error = critical = msg


def _json(node: str | None) -> list[Processor]:
    whose = {} if node is None else {"node": node}

    def line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
        first = {name: event.pop(name) for name in ("timestamp", "level", "logger", "event")}
        return json.dumps({**first, **whose, **event}, default=repr)

    return [structlog.processors.format_exc_info, line]


def _console(colors: bool) -> list[Processor]:
    # The plain traceback: richer ones show local variables, and with them what clients said.
    return [
        _printable,
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=_traceback),
    ]


def _printable(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _CONTROL.sub(_escape, value)
    return event


def _traceback(out: TextIO, exc_info: ExcInfo) -> None:
    plain = io.StringIO()
    structlog.dev.plain_traceback(plain, exc_info)
    out.write(_CONTROL_IN_LINES.sub(_escape, plain.getvalue()))


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
