"""The log: one JSON object a line on standard error, written in batches.

Every record of ours goes to a logger below ``gatepost``; ``gatepost serve`` writes those of uvicorn
and other libraries in the same form. A process that configures logging by itself keeps its handlers
and formatters; what is said of a request are then attributes of its record.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from logging.handlers import MemoryHandler
from time import monotonic
from traceback import walk_tb
from typing import Any, Final

import msgspec

from .redaction import one_line
from .telemetry import Telemetry

REQUEST_FIELDS: Final = ("request", "method", "path", "status", "ms", "key")
"""Attributes of the records of ``gatepost.access``; docs/OPERATIONS.md says what they mean."""

_CAPACITY: Final = 500
"""Records that wait at most. A warning is written at once, and so is what waits before it."""
_FLUSH_INTERVAL: Final = 0.1
"""Seconds that a record waits at most."""
_LIMIT_INTERVAL: Final = 10.0
"""Seconds between two lines of a kind that is limited."""
_MAX_KINDS: Final = 100
_encode: Final = msgspec.json.Encoder().encode


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"time": datetime.fromtimestamp(record.created, UTC)}
        attributes = vars(record)
        if "request" in attributes:
            line |= {name: attributes[name] for name in REQUEST_FIELDS}
        elif "event" in attributes:
            line |= {"event": attributes["event"], **attributes["fields"]}
        else:
            line["level"] = record.levelname.lower()
            line["logger"] = record.name
            line["message"] = record.getMessage()
        if left_out := attributes.get("left_out"):
            line["left_out"] = left_out
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return one_line(_encode(line).decode())


class BatchHandler(MemoryHandler):
    """Writes all records that wait with one write; one by one they cost a tenth of a request."""

    def __init__(self, output: logging.StreamHandler[Any]) -> None:
        super().__init__(_CAPACITY, logging.WARNING, output)
        self._output = output

    def flush(self) -> None:
        self.acquire()
        records, self.buffer = self.buffer, []
        try:
            lines = [line for record in records if (line := self._line(record)) is not None]
            if lines:
                self._output.stream.write("\n".join([*lines, ""]))
                self._output.flush()
        except (OSError, ValueError):  # the stream is closed or full: nobody is to fail for that
            self.handleError(records[-1])
        finally:
            self.release()

    def _line(self, record: logging.LogRecord) -> str | None:
        try:
            return self._output.format(record)
        except Exception:  # noqa: BLE001 - whatever a record holds, the others are written
            self.handleError(record)
            return None


class RateLimit(logging.Filter):
    """Lets one record of a kind pass in ten seconds, so that strangers cannot fill a disk.

    A kind is the first line of a logger's message, before its arguments, and the type and place of
    the exception. When the time is over the last of the others follows, with how many there were
    besides as its attribute ``left_out``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[tuple[object, ...], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if hasattr(record, "left_out"):
            return True
        self.flush()  # also where nothing does it regularly
        kind = (record.name, str(record.msg).partition("\n")[0])
        if record.exc_info and record.exc_info[2]:
            *_, (frame, line) = walk_tb(record.exc_info[2])
            kind = (*kind, record.exc_info[0], frame.f_code, line)
        if kind not in self._kinds and len(self._kinds) >= _MAX_KINDS:
            kind = (record.name,)
        if (known := self._kinds.get(kind)) is None:
            self._kinds[kind] = _Kind()
            return True
        known.last = record
        known.count += 1
        return False

    def flush(self, *, ending: bool = False) -> None:
        """Write what was left out of the kinds whose time is over; ``ending``: of all."""
        for name, kind in [*self._kinds.items()]:
            if not ending and monotonic() < kind.until:
                continue
            del self._kinds[name]
            if kind.last is not None:
                if not ending:
                    self._kinds[name] = _Kind()
                vars(kind.last)["left_out"] = kind.count - 1
                logging.getLogger(kind.last.name).handle(kind.last)


class _Kind:
    """What was left out since the last line of a kind."""

    def __init__(self) -> None:
        self.until = monotonic() + _LIMIT_INTERVAL
        self.count = 0
        self.last: logging.LogRecord | None = None


RATE_LIMIT: Final = RateLimit()
"""The limit of every logger whose lines strangers can cause."""


def log_as_json() -> None:
    """Write what any library logs as JSON, for a process that is nothing but the service.

    What strangers can cause is limited; logging itself writes what waits when the process ends.
    """
    logging.getLogger().addHandler(_json_handler())
    logging.captureWarnings(True)
    for name in ("gatepost", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.INFO)
    for name in ("asyncio", "uvicorn.error"):
        logging.getLogger(name).addFilter(RATE_LIMIT)


@asynccontextmanager
async def logging_in_batches(telemetry: Telemetry) -> AsyncIterator[None]:
    """Write the log while the block lasts: by a handler of ours, unless the process has its own."""
    logger, added = logging.getLogger("gatepost"), None
    if not logger.hasHandlers():
        added = _json_handler()
        logger.addHandler(added)
        logger.setLevel(logging.INFO)
    flushing = asyncio.create_task(_flush_regularly(telemetry))
    try:
        yield
    finally:
        flushing.cancel()
        telemetry.flush()
        RATE_LIMIT.flush(ending=True)
        if added is not None:
            logger.removeHandler(added)
            added.close()


def _json_handler() -> BatchHandler:
    output = logging.StreamHandler()
    output.setFormatter(JsonFormatter())
    return BatchHandler(output)


async def _flush_regularly(telemetry: Telemetry) -> None:
    handlers = (*logging.getLogger("gatepost").handlers, *logging.getLogger().handlers)
    ours = [handler for handler in handlers if isinstance(handler, BatchHandler)]
    while True:
        await asyncio.sleep(_FLUSH_INTERVAL)
        try:
            telemetry.flush()
            RATE_LIMIT.flush()
            for handler in ours:
                handler.flush()
        except Exception:  # of a filter or handler of the process's own
            logging.getLogger("gatepost").exception("the log could not be written")
