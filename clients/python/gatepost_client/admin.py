"""Users and sessions for jobs without a browser: typed calls of Gatepost's REST API.

    with AdminClient("http://127.0.0.1:8000", key) as admin:
        for user in admin.users(search="ada"):
            admin.revoke_sessions(user.id)

The key is a service key: of scope ``read`` to look, of ``write`` to end. It needs Gatepost: a
Better Auth server has no such API.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

import httpx

from .errors import GatepostError, UnavailableError, UnexpectedResponseError
from .http import retry_after, unavailable
from .models import User, camel_case, parse_time, user_from_json

PAGE: Final = 500
"""Rows of one request. The next begins after the last id: nothing is left out or read twice."""
_SESSION_COLUMNS: Final = "id,user_id,expires_at,created_at,updated_at,ip_address,user_agent"
"""All but the token, which takes a key of scope ``secrets``."""


class RefusedError(GatepostError):
    """The service refused: ``status``, and ``code`` and message as PostgREST has them."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A row of the table, good or ended. Times are in UTC."""

    id: str
    user_id: str
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    """The last refresh."""
    ip_address: str | None
    user_agent: str | None

    @property
    def is_live(self) -> bool:
        return self.expires_at > datetime.now(UTC)


class AdminClient:
    """``base_url``: the address of the service. Close it, or use ``with``. Threads may share it."""

    def __init__(
        self, base_url: str, key: str, *, timeout: float = 30.0, http: httpx.Client | None = None
    ) -> None:
        self._url = f"{base_url.rstrip('/')}/rest/v1"
        self._headers = {"apikey": key}
        self._http = http or httpx.Client(timeout=timeout)
        self._owns_http = http is None

    def users(self, *, search: str | None = None) -> Iterator[User]:
        """Every user, ordered by id, page by page. ``search``: a part of the address or name."""
        filters = {}
        if search:
            pattern = _quoted(f"*{search.replace('*', '')}*")
            filters["or"] = f"(email.ilike.{pattern},name.ilike.{pattern})"
        return map(_user, self._rows("users", filters))

    def user(self, user_id: str) -> User | None:
        """The user with this id."""
        return next(map(_user, self._rows("users", {"id": f"eq.{user_id}"})), None)

    def user_by_email(self, email: str) -> User | None:
        """The user with this address, which is compared in lower case."""
        return next(map(_user, self._rows("users", {"email": f"eq.{email.lower()}"})), None)

    def sessions(self, user_id: str | None = None) -> Iterator[SessionRow]:
        """The sessions of a user, or of all, ordered by id."""
        filters = {"select": _SESSION_COLUMNS}
        if user_id is not None:
            filters["user_id"] = f"eq.{user_id}"
        return map(_session, self._rows("sessions", filters))

    def revoke(self, session_id: str) -> bool:
        """End one session: the next request with it is refused. False when there was none."""
        return self._delete({"id": f"eq.{session_id}"}) > 0

    def revoke_sessions(self, user_id: str) -> int:
        """End every session of a user; how many there were."""
        return self._delete({"user_id": f"eq.{user_id}"})

    def export(self, user_id: str) -> dict[str, Any] | None:
        """What is kept of one user, as JSON: the row, accounts and sessions without secrets."""
        user = next(self._rows("users", {"id": f"eq.{user_id}"}), None)
        if user is None:
            return None
        columns = "id,provider_id,account_id,scope,created_at,updated_at"
        own = {"user_id": f"eq.{user_id}"}
        return {
            "user": user,
            "accounts": list(self._rows("accounts", {"select": columns} | own)),
            "sessions": list(self._rows("sessions", {"select": _SESSION_COLUMNS} | own)),
        }

    def _rows(self, table: str, filters: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        after: dict[str, str] = {}
        while True:
            page = {"order": "id", "limit": str(PAGE)}
            rows = self._send("GET", table, {**filters, **page, **after})
            yield from rows
            if len(rows) < PAGE:
                return
            after = {"id": f"gt.{rows[-1]['id']}"}

    def _delete(self, filters: Mapping[str, str]) -> int:
        headers = {"Prefer": "return=representation"}
        return len(self._send("DELETE", "sessions", {**filters, "select": "id"}, headers))

    def _send(
        self,
        method: str,
        table: str,
        params: Mapping[str, str],
        headers: Mapping[str, str] | None = None,
    ) -> list[dict[str, Any]]:
        try:
            response = self._http.request(
                method,
                f"{self._url}/{table}",
                params=params,
                headers={**self._headers, **(headers or {})},
                follow_redirects=False,
            )
        except httpx.HTTPError as error:
            raise unavailable(error) from error
        status = response.status_code
        if status == 429 or status >= 500:
            raise UnavailableError(f"the service answered {status}", retry_after(response))
        try:
            body = response.json()
            if status >= 400:
                raise RefusedError(status, body["code"], body["message"])
            if isinstance(body, list):
                return body
        except (KeyError, TypeError, ValueError) as error:
            raise UnexpectedResponseError(f"/rest/v1/{table} answered {status}") from error
        raise UnexpectedResponseError(f"/rest/v1/{table} answered {status} and no rows")

    def close(self) -> None:
        if self._owns_http:
            self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _user(row: Mapping[str, Any]) -> User:
    return user_from_json({camel_case(name): value for name, value in row.items()})


def _session(row: Mapping[str, Any]) -> SessionRow:
    try:
        return SessionRow(
            id=row["id"],
            user_id=row["user_id"],
            expires_at=parse_time(row["expires_at"]),
            created_at=parse_time(row["created_at"]),
            updated_at=parse_time(row["updated_at"]),
            ip_address=row["ip_address"],
            user_agent=row["user_agent"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnexpectedResponseError(f"this is no session: {error!r}") from error
