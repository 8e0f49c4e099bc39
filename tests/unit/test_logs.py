"""The log: lines of JSON in batches, and the handlers of a process that has its own."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app import logs
from app.logs import RATE_LIMIT, logging_in_batches
from app.telemetry import FinishedRequest, Telemetry
from tests.support import ROOT

FIELDS = {
    "time": "2001-09-09T01:46:40Z", "request": "abc", "method": "GET", "path": "/x",
    "status": 200, "ms": 1.5, "key": None,
}  # fmt: skip


@contextmanager
def unconfigured() -> Iterator[logging.Logger]:
    """The logger as in a process where nobody has configured logging; pytest has."""
    logger, root = logging.getLogger("gatepost"), logging.getLogger()
    handlers, root.handlers = root.handlers, []
    logs.RATE_LIMIT._kinds.clear()  # what other tests of this process have left
    try:
        yield logger
    finally:
        root.handlers = handlers
        logger.setLevel(logging.NOTSET)


async def test_records_are_written_together_after_a_moment(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_FLUSH_INTERVAL", 0.05)
    text, telemetry = "", Telemetry()
    with unconfigured() as logger:
        async with logging_in_batches(telemetry):
            for _ in range(3):
                telemetry.add(FinishedRequest(1e9, 0.0015, "abc", "GET", "/x", 200, None))
            assert capfd.readouterr().err == ""
            for _ in range(2000):
                text = text or capfd.readouterr().err
                await asyncio.sleep(0 if text else 0.01)
        assert logger.handlers == []
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == 3
    assert lines[0] == FIELDS


async def test_warning_is_written_at_once_and_the_rest_at_the_end(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with unconfigured() as logger:
        async with logging_in_batches(Telemetry()):
            logger.info("first")
            logger.warning("second %d", 2)
            lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
            assert [line["message"] for line in lines] == ["first", "second 2"]
            assert [line["level"] for line in lines] == ["info", "warning"]
            assert {line["logger"] for line in lines} == {"gatepost"}
            try:
                raise LookupError("why")
            except LookupError:
                logger.info("third", exc_info=True)
    (line,) = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert "LookupError: why" in line["exception"]


async def test_record_that_cannot_be_formatted_leaves_the_others(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with unconfigured() as logger:
        async with logging_in_batches(Telemetry()):
            logger.info("bad %d", "x")
            logger.info("lone surrogate %s", "\ud800")
            logger.warning("good")
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("{")]
    assert json.loads(lines[-1])["message"] == "good"


async def test_limited_kind_is_one_line_in_its_time_and_how_many_were_left_out(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_FLUSH_INTERVAL", 0.01)
    monkeypatch.setattr(logs, "_LIMIT_INTERVAL", 0.2)
    with unconfigured():
        logger = logging.getLogger("gatepost.limited")
        logger.addFilter(RATE_LIMIT)
        async with logging_in_batches(Telemetry()):
            for number in range(5):
                logger.warning("stranger %d", number)
                for value in ("", []):
                    try:
                        int(value)  # type: ignore[arg-type]
                    except (TypeError, ValueError):
                        logger.exception("failed")
            logger.warning("other")
            await asyncio.sleep(1)
            logger.warning("stranger %d", 5)
            lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    found = [(line["message"], line.get("left_out")) for line in lines]
    failed = ("failed", None)  # one for each type of exception
    assert found[:4] == [("stranger 0", None), failed, failed, ("other", None)]
    assert found[4:7] == [("stranger 4", 3), ("failed", 3), ("failed", 3)]
    assert found[7:] == [("stranger 5", None)]


OWN_LOGGING = """
import asyncio, logging
logging.basicConfig(format="%(name)s|%(message)s|%(request)s|%(ms)s", level=logging.INFO)
from app.logs import logging_in_batches
from app.telemetry import FinishedRequest, Telemetry
async def main():
    telemetry = Telemetry()
    async with logging_in_batches(telemetry):
        for id in ("a", "b"):
            telemetry.add(FinishedRequest(0.0, 0.0015, id, "GET", "/x", 200, None))
asyncio.run(main())
"""


def test_process_that_configures_logging_keeps_its_format() -> None:
    done = subprocess.run(
        [sys.executable, "-c", OWN_LOGGING],
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == "gatepost.access|GET /x 200|a|1.5\ngatepost.access|GET /x 200|b|1.5\n"
