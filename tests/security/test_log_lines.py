"""A record is one line for every reader, and moves no terminal."""

import json
import logging

from app.logs import JsonFormatter


def test_no_text_ends_a_line_or_controls_a_terminal() -> None:
    text = "".join(map(chr, range(0x250))) + "\u2028\u2029\u202e\ufeff\U0001f600"
    record = logging.LogRecord("gatepost", logging.INFO, "", 0, "%s", (text,), None)
    line = JsonFormatter().format(record)
    assert json.loads(line)["message"] == text
    assert len(line.splitlines()) == 1
    assert not any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in line)
    assert "é" in line  # what can be read stays so
