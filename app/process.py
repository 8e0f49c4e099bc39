"""How a process of ours ends: by a signal, or with one line that says what is wrong."""

import signal
import sys
from typing import NoReturn

from .errors import GatepostError


def exit_on_signals(base: int | None = None) -> None:
    """Turn SIGINT and SIGTERM into SystemExit, so that every ``with`` block is left properly.

    The exit code is 0, for a service that was stopped did its work. With ``base`` it is ``base``
    plus the number of the signal, for a command that was stopped did not.
    """

    def end(received: int, _: object) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise SystemExit(0 if base is None else base + received)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def with_advice(error: GatepostError) -> str:
    """What is wrong, and what to do about it."""
    return f"{error}; {error.advice}" if error.advice else str(error)


def exit_with(error: GatepostError) -> NoReturn:
    """Print the error on standard error and end the process with its exit code."""
    print(f"gatepost: {with_advice(error)}", file=sys.stderr)
    raise SystemExit(error.exit_code)
