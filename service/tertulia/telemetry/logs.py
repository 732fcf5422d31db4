"""How the node's log is written: for people on a terminal, one JSON object per line elsewhere.

Loggers come from ``structlog.get_logger("name")``; what libraries tell the standard ``logging``
comes out the same way.
"""

import contextlib
import io
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable
from typing import TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from tertulia.settings.sections import LogSettings
from tertulia.telemetry import journal
from tertulia.telemetry.log_codes import CODES, OTHER
from tertulia.telemetry.log_writer import LogWriter

# Terminal escapes, and what turns or breaks a line: a client's words may get into an error's text.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_CONTROL_IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")

_FIRST = ("timestamp", "level", "logger", "event", "code")

_log = structlog.get_logger("python")


def begin(settings: LogSettings, *, node: str) -> LogWriter:
    """Send all logs to standard error from a thread of its own, and what Python would complain of there.

    Else Python would write that itself, and wait for the log reader.
    """
    writer = LogWriter(sys.stderr.fileno(), sys.stderr.encoding)
    configure(settings, node=node, write=writer.put)
    sys.unraisablehook = lambda it: _log.error(
        "an exception that nobody could catch", exc_info=it.exc_value
    )
    threading.excepthook = lambda it: _log.error(
        "a thread ended on an exception", exc_info=it.exc_value
    )
    return writer


def configure(
    settings: LogSettings,
    stream: TextIO | None = None,
    *,
    node: str | None = None,
    write: Callable[[str], None] | None = None,
) -> None:
    """Send all logs to ``stream`` (default: standard error), in the form that is set.

    ``node`` is who writes it: on each line for machines, which gather those of many. ``write`` is who
    writes a line to it instead. Where journald reads the stream, it gets each line's level.

    Holds for the process; may be called again. A stream that is gone never raises: the node goes
    on without its log.
    """
    out = sys.stderr if stream is None else stream
    write = write or _writing_to(out)
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
    if journal.reads(out):
        last = [*last[:-1], _levelled(last[-1])]
    structlog.configure(
        processors=[*shared, _coded, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda name="tertulia", *_: _Line(write, name),
        cache_logger_on_first_use=True,
    )
    handler = _FromStandard(write)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, _of_others],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _FromStandard)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)


class _FromStandard(logging.Handler):
    """The handler for the standard ``logging``; a class of its own to find it again."""

    def __init__(self, write: Callable[[str], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        # What a library words wrongly is no reason to stop; logging itself would complain on the stream.
        with contextlib.suppress(Exception):
            self._write(self.format(record))


class _Line:
    """Where structlog puts a finished line."""

    def __init__(self, write: Callable[[str], None], name: str) -> None:
        self.name = name
        self.debug = self.info = self.warning = self.error = self.critical = self.msg = write


def _writing_to(stream: TextIO) -> Callable[[str], None]:
    def write(line: str) -> None:
        try:
            # One write, so that lines of two threads don't mix.
            stream.write(line + "\n")
            stream.flush()
        except (OSError, ValueError):
            pass  # the log reader is gone; that is no reason to stop

    return write


def _coded(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["code"] = CODES.get(event["event"], OTHER)
    return event


def _of_others(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event["code"] = OTHER  # whatever its words: they may be ours by chance
    return event


def _levelled(render: Processor) -> Processor:
    def line(logger: WrappedLogger, method: str, event: EventDict) -> str:
        level = event["level"]
        return journal.levelled(str(render(logger, method, event)), level)

    return line


def _json(node: str | None) -> list[Processor]:
    whose = {} if node is None else {"node": node}

    def line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
        first = {name: event.pop(name) for name in _FIRST}
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
