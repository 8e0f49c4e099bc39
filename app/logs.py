"""The log: one JSON object a line on standard error, written in batches.

Every record goes to a logger below ``gatepost``. A process that configures logging by itself keeps
its handlers and formatters; what is said of a request are then attributes of its record.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from logging.handlers import MemoryHandler
from typing import Any, Final

import msgspec

from app.redaction import one_line
from app.telemetry import Telemetry

REQUEST_FIELDS: Final = ("request", "method", "path", "status", "ms", "key")
"""Attributes of the records of ``gatepost.access``; docs/OPERATIONS.md says what they mean."""

_CAPACITY: Final = 500
"""Records that wait at most. A warning is written at once, and so is what waits before it."""
_FLUSH_INTERVAL: Final = 0.1
"""Seconds that a record waits at most."""
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


@asynccontextmanager
async def logging_in_batches(telemetry: Telemetry) -> AsyncIterator[None]:
    """Write the log while the block lasts: by a handler of ours, unless the process has its own."""
    logger, handler = logging.getLogger("gatepost"), None
    if not logger.hasHandlers():
        output = logging.StreamHandler()
        output.setFormatter(JsonFormatter())
        handler = BatchHandler(output)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    flushing = asyncio.create_task(_flush_regularly(telemetry, handler))
    try:
        yield
    finally:
        flushing.cancel()
        telemetry.flush()
        if handler is not None:
            logger.removeHandler(handler)
            handler.close()


async def _flush_regularly(telemetry: Telemetry, handler: BatchHandler | None) -> None:
    while True:
        await asyncio.sleep(_FLUSH_INTERVAL)
        try:
            telemetry.flush()
            if handler is not None:
                handler.flush()
        except Exception:  # of a filter or handler of the process's own
            logging.getLogger("gatepost").exception("the log could not be written")
