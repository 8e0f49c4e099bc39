"""The same work by hand: what Gatepost's APIs are compared with.

A bare ASGI application under the same uvicorn, without middleware, router, log, metrics, limits or
deadlines. It keeps its connections, and every request is one prepared statement. Gatepost's own
functions verify cookies and serialize rows, so that a ratio shows what the handling of a request
costs and not which JSON encoder is faster. LIMIT-B in docs/PERFORMANCE.md is its get-session.
"""

import asyncio
import os
from hashlib import sha256
from typing import Any, Final
from urllib.parse import parse_qs

import asyncpg
import msgspec

from app.auth import cookies, serializers
from app.auth.cookies import Signer
from app.schema import sessions, users
from app.statements.sessions import find

CONNECTIONS: Final = 10

_user_session: Final[Any] = find.row
_user: Final = ", ".join(users.columns)
_new: Final = msgspec.json.Decoder(list[dict[str, Any]])
STATEMENTS: Final = {
    "session": f"""
        SELECT {", ".join(f"s.{name}" for name in sessions.columns)},
            {", ".join(f'u.{name} AS "user.{name}"' for name in users.columns)}
        FROM sessions s JOIN users u ON u.id = s.user_id WHERE s.token = $1""",
    "one": f"""
        SELECT coalesce(json_agg(r), '[]')::text
        FROM (SELECT {_user} FROM users WHERE id = $1) r""",
    "page": f"""
        SELECT coalesce(json_agg(r), '[]')::text
        FROM (SELECT {_user} FROM users ORDER BY created_at, id LIMIT $1) r""",
    "insert": """
        INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id""",
    "count": """
        SELECT coalesce(json_agg(r), '[]')::text,
            (SELECT count(*) FROM sessions WHERE user_id = $1) AS total
        FROM (SELECT id FROM sessions WHERE user_id = $1 ORDER BY id LIMIT 1) r""",
}


class ByHand:
    """``/api/auth/get-session`` and four requests of ``/rest/v1``."""

    def __init__(self) -> None:
        self._signer = Signer(os.environ["GATEPOST_SECRET"].split(","))
        # by their SHA-256, as app/rest/keys.py knows them
        keys = os.environ["GATEPOST_SERVICE_KEYS"].split(",")
        self._keys = {key.split(":")[1] for key in keys}
        self._free: asyncio.LifoQueue[dict[str, Any]] = asyncio.LifoQueue()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        headers = dict(scope["headers"])
        head = [(b"content-type", b"application/json")]
        if scope["path"] == "/api/auth/get-session":
            body = await self._session(headers[b"cookie"])
        elif sha256(headers[b"apikey"]).hexdigest() not in self._keys:
            raise PermissionError
        elif scope["method"] == "POST":
            body = await self._insert(await receive())
        else:
            body = await self._read(scope["path"], scope["query_string"], head)
        head.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": body})

    async def _session(self, cookie: bytes) -> bytes:
        parsed = cookies.parse(cookie.decode("latin-1"))
        token = self._signer.verify(parsed["better-auth.session_token"])
        found = _user_session(*await self._row("session", token))
        return msgspec.json.encode(
            {"session": serializers.session(found.session), "user": serializers.user(found.user)}
        )

    async def _insert(self, message: Any) -> bytes:
        (row,) = _new.decode(message["body"])
        await self._row("insert", row["name"], row["email"])
        return b""

    async def _read(
        self, path: str, query_string: bytes, headers: list[tuple[bytes, bytes]]
    ) -> bytes:
        query = parse_qs(query_string.decode())
        if path == "/rest/v1/sessions":
            row = await self._row("count", query["user_id"][0].removeprefix("eq."))
            headers.append((b"content-range", b"0-0/%d" % row["total"]))
            return row[0].encode()
        if "id" in query:
            return (await self._row("one", query["id"][0].removeprefix("eq.")))[0].encode()
        return (await self._row("page", int(query["limit"][0])))[0].encode()

    async def _row(self, name: str, *values: Any) -> Any:
        prepared = await self._free.get()
        try:
            return await prepared[name].fetchrow(*values)
        finally:
            self._free.put_nowait(prepared)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        held = [await asyncpg.connect(os.environ["DATABASE_URL"]) for _ in range(CONNECTIONS)]
        for connection in held:
            prepared = {name: await connection.prepare(text) for name, text in STATEMENTS.items()}
            self._free.put_nowait(prepared)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})


def __getattr__(name: str) -> ByHand:
    # on demand, so that importing STATEMENTS needs no environment
    if name != "app":
        raise AttributeError(name)
    return ByHand()
