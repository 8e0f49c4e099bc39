"""Which response each error of the REST API becomes."""

import json

import pytest
from starlette.responses import Response

from app.errors import (
    DatabaseError,
    DatabaseMissingError,
    DatabaseUnavailableError,
    PoolExhaustedError,
    QueryTimeoutError,
    RestError,
    StatementError,
)
from app.rest.errors import error_to_response

HIDDEN = frozenset(("token",))


def error(response: Response) -> dict[str, str | None]:
    return json.loads(bytes(response.body))


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (RestError(404, "PGRST205", "no table"), 404, "PGRST205"),
        (StatementError("23505", "not unique"), 409, "23505"),
        (StatementError("23503", "no user"), 409, "23503"),
        (StatementError("23502", "null"), 400, "23502"),
        (StatementError("42501", "no"), 403, "42501"),
        (StatementError("28P01", "no"), 403, "28P01"),
        (StatementError("42P01", "no table"), 404, "42P01"),
        (StatementError("P0001", "raised"), 400, "P0001"),
        (StatementError("XX000", "broken"), 500, "XX000"),
        (QueryTimeoutError("no answer within 1 s"), 504, "57014"),
        (PoolExhaustedError("every connection is in use"), 504, "PGRST003"),
        (DatabaseUnavailableError("gone"), 503, "PGRST000"),
        (DatabaseMissingError("gone"), 503, "PGRST000"),
    ],
)
def test_error_becomes_a_response(raised: Exception, status: int, code: str) -> None:
    response = error_to_response(raised, HIDDEN)
    assert (response.status_code, error(response)["code"]) == (status, code)
    assert error(response).keys() == {"code", "message", "details", "hint"}
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert ("retry-after" in response.headers) is (status == 503)
    if not isinstance(raised, DatabaseError) or isinstance(raised, StatementError):
        assert response.headers["proxy-status"] == f"PostgREST; error={code}"


def test_unauthenticated_response_names_the_scheme() -> None:
    response = error_to_response(RestError(401, "PGRST302", "no key"), HIDDEN)
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("details", "hidden", "shown"),
    [
        ("Key (email)=(a@example.com) already exists.", HIDDEN, True),
        ("Key (token)=(secret) already exists.", HIDDEN, False),
        ("Key (user_id, token)=(1, secret) already exists.", HIDDEN, False),
        ("Failing row contains (1, secret).", HIDDEN, False),
        ("Failing row contains (1, secret).", frozenset[str](), True),
    ],
)
def test_details_are_shown_when_they_hold_no_hidden_column(
    details: str, hidden: frozenset[str], shown: bool
) -> None:
    response = error_to_response(StatementError("23505", "not unique", details), hidden)
    assert error(response)["details"] == (details if shown else None)
