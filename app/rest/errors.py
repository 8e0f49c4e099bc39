"""The errors of the REST API, with PostgREST's codes, and the responses made of them.

Source: PostgREST 14, "Errors". Where its table sends a server's error to 500 although the input
caused it, the status here is 400.
"""

import re
from typing import Final

from starlette.responses import Response

from ..errors import (
    PoolExhaustedError,
    QueryTimeoutError,
    RestError,
    StatementError,
)
from ..responses import RETRY_AFTER, error_response

RESPONSE_TOO_LONG: Final = "gatepost.response_too_long"
"""A setting that no server has: SQL has no other way to fail with a text of one's own."""

METHODS: Final = ("OPTIONS", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
READING_METHODS: Final = ("OPTIONS", "GET", "HEAD")

_STATUS_BY_CLASS: Final[dict[str, int]] = {
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
_STATUS: Final[dict[str, int]] = {
    "23503": 409,
    "23505": 409,
    "42501": 403,
    "42P01": 404,
    "P0001": 400,
}


def bad_syntax(what: str, text: str, position: int, expected: str) -> RestError:
    """A part of the query string that does not parse; ``position`` counts from 1."""
    return RestError(
        400,
        "PGRST100",
        f'"failed to parse {what} ({_shortened(text)})" (line 1, column {position})',
        f"expecting {expected}",
    )


def bad_body(message: str, details: str | None = None) -> RestError:
    return RestError(400, "PGRST102", message, details)


def bad_value(type_: str, text: str) -> RestError:
    message = f'invalid input syntax for type {type_}: "{_shortened(text)}"'
    return RestError(400, "22P02", message)


def out_of_range(type_: str, text: str) -> RestError:
    message = f'value "{_shortened(text)}" is out of range for type {type_}'
    return RestError(400, "22003", message)


def bad_text() -> RestError:
    return RestError(
        400, "22P05", "unsupported Unicode escape sequence", "NUL cannot be converted to text."
    )


def unknown_column(relation: str, column: str) -> RestError:
    return RestError(400, "42703", f"column {relation}.{_shortened(column)} does not exist")


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


def not_implemented(what: str) -> RestError:
    return RestError(400, "PGRST127", "Feature not implemented", f"{what} cannot be used here")


def too_much(what: str, limit: int) -> RestError:
    return RestError(400, "PGRST100", f"The request has more than {limit} {what}")


def unsatisfiable_range(details: str) -> RestError:
    return RestError(416, "PGRST103", "Requested range not satisfiable", details)


def not_singular(count: int) -> RestError:
    return RestError(
        406,
        "PGRST116",
        "Cannot coerce the result to a single JSON object",
        f"The result contains {count} rows",
    )


def unknown_method(method: str) -> RestError:
    return RestError(405, "PGRST117", f"Unsupported HTTP method: {method:.32}")


def unknown_path(path: str, tables: tuple[str, ...]) -> RestError:
    """For a path below the root that is no table's."""
    if path.startswith("rpc/"):
        function = f"public.{path[4:]:.100}"
        message = f"Could not find the function {function} in the schema cache"
        return RestError(404, "PGRST202", message)
    if "/" in path:
        return RestError(404, "PGRST125", "Invalid path specified in request URL")
    similar = next((name for name in tables if name.startswith(path[:3].lower())), None)
    return RestError(
        404,
        "PGRST205",
        f"Could not find the table 'public.{path:.100}' in the schema cache",
        None,
        f"Perhaps you meant the table 'public.{similar}'" if similar else None,
    )


def error_to_response(error: Exception, hidden: frozenset[str]) -> Response:
    """For a RestError or a DatabaseError; ``hidden`` columns have values the client may not see."""
    match error:
        case RestError():
            return _refusal(error)
        case StatementError():
            return _refusal(_from_server(error, hidden))
        case QueryTimeoutError():
            return error_response(504, "57014", "The query took too long", str(error))
        case PoolExhaustedError():
            message = "Timed out acquiring connection from connection pool."
            return error_response(504, "PGRST003", message, str(error))
    message = "Database connection error. Retry later."
    return error_response(503, "PGRST000", message, headers=RETRY_AFTER)


def _from_server(error: StatementError, hidden: frozenset[str]) -> RestError:
    sqlstate = error.sqlstate
    if sqlstate == "42704" and RESPONSE_TOO_LONG in error.message:
        return RestError(
            400, "54000", "The response is too long", None, "Select less, or give a limit."
        )
    status = _STATUS.get(sqlstate) or _STATUS_BY_CLASS.get(sqlstate[:2], 400)
    details = error.details
    if details and hidden:
        # PostgreSQL quotes the key when it is not unique, and the whole row when it fails a check
        key = re.match(r"Key \((.*?)\)=", details)
        if key is None or hidden.intersection(key[1].split(", ")):
            details = None
    return RestError(status, sqlstate, error.message, details, error.hint)


def _refusal(error: RestError) -> Response:
    # a response to HEAD has no body: its client finds the code here
    headers = {"proxy-status": f"PostgREST; error={error.code}"}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.code == "PGRST117":
        headers["allow"] = ",".join(METHODS)
    return error_response(
        error.status, error.code, error.message, error.details, error.hint, headers
    )


def _shortened(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "…"
