"""The REST door's errors, in PostgREST's shape and with its codes.

Source: PostgREST 14, "Errors". Where its table sends a server's error to 500 although the input
caused it, the status here is 400.
"""

import re
from typing import Final

from app.database import DatabaseError


class RestError(Exception):
    """An answer of ``{code, message, details, hint}`` with its HTTP status."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.hint = hint


def bad_syntax(what: str, text: str, position: int, expected: str) -> RestError:
    """A part of the query string that does not parse; ``position`` counts from 1."""
    return RestError(
        400,
        "PGRST100",
        f'"failed to parse {what} ({_short(text)})" (line 1, column {position})',
        f"expecting {expected}",
    )


def bad_body(message: str, details: str | None = None) -> RestError:
    return RestError(400, "PGRST102", message, details)


def bad_value(type_: str, text: str) -> RestError:
    return RestError(400, "22P02", f'invalid input syntax for type {type_}: "{_short(text)}"')


def bad_text() -> RestError:
    return RestError(
        400, "22P05", "unsupported Unicode escape sequence", "NUL cannot be converted to text."
    )


def unknown_column(relation: str, column: str) -> RestError:
    return RestError(400, "42703", f"column {relation}.{_short(column)} does not exist")


def not_permitted(what: str, name: str, hint: str | None = None) -> RestError:
    return RestError(403, "42501", f"permission denied for {what} {name}", None, hint)


def unknown_operator(operator: str, type_: str) -> RestError:
    return RestError(
        400,
        "42883",
        f"operator does not exist: {type_} {operator} unknown",
        None,
        "Cast the column or choose another operator.",
    )


def too_much(what: str, limit: int) -> RestError:
    return RestError(400, "PGRST100", f"The request has more than {limit} {what}")


_CLASSES: Final[dict[str, int]] = {
    "0L": 403,
    "0P": 403,
    "28": 403,
    "2D": 500,
    "38": 500,
    "39": 500,
    "3B": 500,
    "55": 500,
    "58": 500,
    "F0": 500,
    "HV": 500,
    "XX": 500,
}
_STATES: Final[dict[str, int]] = {
    "23503": 409,
    "23505": 409,
    "42501": 403,
    "42P01": 404,
    "P0001": 400,
}


def from_database(error: DatabaseError, *, hidden: frozenset[str]) -> RestError:
    """A server's refusal as the client sees it.

    ``hidden``: columns whose values the client may not see. PostgreSQL quotes the whole row when
    it breaks a check, and the key's values when it is not unique.
    """
    status = _STATES.get(error.sqlstate) or _CLASSES.get(error.sqlstate[:2], 400)
    details = error.details
    if details and hidden:
        key = re.match(r"Key \((.*?)\)=", details)
        if key is None or hidden.intersection(key[1].split(", ")):
            details = None
    return RestError(status, error.sqlstate, error.message, details, error.hint)


def _short(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "…"
