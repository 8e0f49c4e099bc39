"""Ask the database itself what the service would ask it, by a role that may only read.

For a backend next to the database: it needs no service, sees a revocation at once, and writes
nothing, so a session that only it looks at is not extended. It does not know fields of your own.
``pip install 'gatepost-client[database]'``; ``python -m gatepost_client.database`` prints the SQL
of the role.
"""

import asyncio
import base64
import binascii
import hmac
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import unquote

import asyncpg

from .credentials import Source, credentials, headers_of, session_cookies
from .errors import UnavailableError
from .http import COOKIE_PREFIX, TIMEOUT
from .models import Session, User

_QUERY: Final = """\
SELECT s.id, s.expires_at, s.created_at, s.ip_address, s.user_agent,
       u.id AS user_id, u.email, u.name, u.email_verified, u.image,
       u.created_at AS user_created_at, u.updated_at AS user_updated_at
FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.token = $1 AND s.expires_at > $2 AND s.created_at > $3"""
_MAX_AGE: Final = 30 * 24 * 3600
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)

READ_ONLY_ROLE: Final = Path(__file__).with_name("read_only_role.sql")
"""The SQL that makes the role, for psql."""


class DatabaseClient:
    """Looks up sessions in Gatepost's tables. Close it, or use ``async with``.

    ``url`` is PostgreSQL's, ``secrets`` those of GATEPOST_SECRET: a cookie counts only with a good
    signature. ``session_max_age`` is GATEPOST_SESSION_MAX_AGE in seconds, 0 for none. ``timeout``:
    seconds for a connection, and again for the statement. ``options`` are asyncpg.create_pool's.
    """

    def __init__(
        self,
        url: str,
        secrets: str | Sequence[str],
        *,
        cookie_prefix: str = COOKIE_PREFIX,
        session_max_age: int = _MAX_AGE,
        timeout: float = TIMEOUT,
        **options: Any,
    ) -> None:
        given = secrets.split(",") if isinstance(secrets, str) else secrets
        self._keys = [secret.strip().encode() for secret in given if secret.strip()]
        if not self._keys:
            raise ValueError("a secret is needed: cookies are signed with it")
        self.cookie_prefix = cookie_prefix
        self._max_age = timedelta(seconds=session_max_age) if session_max_age else None
        self._timeout = timeout
        settings = {"default_transaction_read_only": "on", "application_name": "gatepost-client"}
        defaults = {"min_size": 0, "timeout": timeout, "command_timeout": timeout}
        self._arguments: dict[str, Any] = {
            "dsn": url,
            "server_settings": settings,
            **defaults,
            **options,
        }
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._opening = asyncio.Lock()

    async def session(self, request: Source) -> Session | None:
        """As GatepostClient.session; raises UnavailableError when the database does not answer."""
        token = self._token(headers_of(request))
        if token is None:
            return None
        now = datetime.now(UTC)
        oldest = now - self._max_age if self._max_age else _LONG_AGO
        try:
            pool = self._pool or await self._open()
            async with pool.acquire(timeout=self._timeout) as connection:
                row = await connection.fetchrow(_QUERY, token, now, oldest)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise UnavailableError(
                f"the database did not answer: {type(error).__name__}"
            ) from error
        return None if row is None else _session(row, token)

    async def _open(self) -> "asyncpg.Pool[asyncpg.Record]":
        """Made on first use, for it belongs to the event loop that runs then."""
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(**self._arguments)
        return self._pool

    def _token(self, headers: Mapping[str, str]) -> str | None:
        """The token of the cookie, or of the bearer token, with a good signature.

        Of cookies with several prefixes the one counts that a subdomain can set least.
        """
        found = credentials(headers, self.cookie_prefix)
        signed = found.bearer
        if found.cookies:
            pairs = dict(reversed([pair.split("=", 1) for pair in found.cookies]))  # the first
            signed = next(pairs[n] for n in session_cookies(self.cookie_prefix) if n in pairs)
        return self._verified(unquote(signed)) if signed else None

    def _verified(self, signed: str) -> str | None:
        value, _, signature = signed.rpartition(".")
        try:
            given = base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError):
            return None
        if not value.isascii() or "\0" in value:
            return None
        good = [
            hmac.compare_digest(hmac.digest(key, value.encode(), "sha256"), given)
            for key in self._keys
        ]
        return value if any(good) else None

    async def aclose(self) -> None:
        if self._pool is not None:
            await self._pool.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _session(row: asyncpg.Record, token: str) -> Session:
    return Session(
        user=User(
            id=str(row["user_id"]),
            email=row["email"],
            name=row["name"],
            email_verified=row["email_verified"],
            image=row["image"],
            created_at=row["user_created_at"],
            updated_at=row["user_updated_at"],
        ),
        expires_at=row["expires_at"],
        id=str(row["id"]),
        token=token,
        created_at=row["created_at"],
        ip_address=row["ip_address"],
        user_agent=row["user_agent"],
    )


if __name__ == "__main__":
    sys.stdout.write(READ_ONLY_ROLE.read_text())
