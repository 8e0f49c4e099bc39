"""Clients that use the service at the same time, each on the sessions of the others too."""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import quote

import httpx

from app.auth.cookies import Signer
from app.schema import new_token
from tests.faults.history.checker import Operation, Outcome
from tests.support import KEYS, SECRET

BASE: Final = "http://auth.gatepost.test"
SETTINGS: Final = {
    "GATEPOST_SECRET": SECRET,
    "GATEPOST_BASE_URL": BASE,
    "GATEPOST_RATE_LIMIT": "off",
    "GATEPOST_DELETE_USER": "true",
    "GATEPOST_SESSION_UPDATE_AGE": "0",  # every look that may refresh does
    "GATEPOST_ACQUIRE_TIMEOUT": "1",
    "GATEPOST_QUERY_TIMEOUT": "1.5",
}
"""Of every service under test: what the clients do, as often as they can."""

_SIGNER: Final = Signer((SECRET,))
_PATIENCE: Final = 10.0  # seconds for an answer; later it is unknown
_CROWD: Final = 4
"""Users at a time."""
_LIVE: Final = 6
"""Sessions of a user at a time."""


def session(token: str) -> str:
    return f"session {token}"


def row(value: str) -> str:
    return f"row {value}"


@dataclass
class Person:
    """A user, as the clients know it."""

    email: str
    id: str
    password: str
    live: list[str]
    """Tokens that nobody has begun to end."""
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def user(self) -> str:
        return f"user {self.email}"

    @property
    def name(self) -> str:
        return f"name of {self.email}"

    @property
    def secret(self) -> str:
        return f"password of {self.email}"


@dataclass(frozen=True)
class Answer:
    begin: float
    end: float
    outcome: Outcome
    status: int = 0
    body: Any = None


class Clients:
    """Everything they do is in ``history``, in the order it ended."""

    def __init__(self, urls: Sequence[str], seed: int) -> None:
        self.history: list[Operation] = []
        self._urls = urls
        self._seed, self._random = seed, random.Random(seed)
        self._people: list[Person] = []
        self._count = 0
        self._http = httpx.AsyncClient(timeout=_PATIENCE, headers={"origin": BASE})
        self._http.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))

    async def run(self, number: int, trouble: Coroutine[Any, Any, None]) -> None:
        """``number`` clients act for as long as ``trouble`` lasts; raises what it raises."""
        async with self._http, asyncio.TaskGroup() as group:
            await asyncio.gather(*(self._sign_up() for _ in range(3)))
            until = group.create_task(trouble)
            for _ in range(number):
                group.create_task(self._client(until))

    async def _client(self, until: asyncio.Task[None]) -> None:
        choices: dict[Callable[[Person], Awaitable[None]], int] = {
            self._create: 12,
            self._write: 12,
            self._verify: 25,
            self._refresh: 15,
            self._list: 6,
            self._revoke: 12,
            self._sign_out: 4,
            self._revoke_others: 3,
            self._rename: 8,
            self._sign_in: 2,
            self._change_password: 2,
            self._delete: 2,
        }
        while not until.done():
            person = self._random.choice(self._people) if self._people else None
            if person is None or (len(self._people) < _CROWD and self._random.random() < 0.01):
                await self._sign_up()
                continue
            count = len(self.history)
            (act,) = self._random.choices(list(choices), list(choices.values()))
            if len(person.live) < 2:
                act = self._create
            await act(person)
            failed = any(one.outcome == "unknown" for one in self.history[count:])
            await asyncio.sleep(0.05 if failed else self._random.uniform(0, 0.004))

    # --- what they do -----------------------------------------------------------------------------

    async def _sign_up(self) -> None:
        email, password = f"{self._unique('user')}@example.com", self._unique("password ")
        name = self._unique("name ")
        body = {"email": email, "password": password, "name": name}
        answer = await self._auth("POST", "/sign-up/email", body)
        person = Person(email, "", password, [])
        creates = [person.user]
        if answer.outcome == "ok":
            person.id = answer.body["user"]["id"]
            person.live.append(answer.body["token"])
            creates += map(session, person.live)
            self._people.append(person)
        self._record(
            "sign-up", person, answer,
            creates=tuple(creates), writes={person.name: name, person.secret: password},
        )  # fmt: skip

    async def _sign_in(self, person: Person) -> None:
        password = person.password
        body = {"email": person.email, "password": password}
        answer = await self._auth("POST", "/sign-in/email", body)
        register = {person.secret: password}
        if answer.outcome == "ok":
            token = answer.body["token"]
            self._record("sign-in", person, answer, creates=(session(token),), reads=register)
            person.live.append(token)
        else:
            denied = register if answer.status == 401 else {}
            self._record("sign-in", person, answer, denies=denied)

    async def _create(self, person: Person) -> None:
        """A session by a backend: the same row as a sign-in's, without its 100 ms of scrypt."""
        if len(person.live) > _LIVE:
            return await self._verify(person)
        token, expires_at = new_token(), datetime.now(UTC) + timedelta(hours=1)
        body = {"user_id": person.id, "token": token, "expires_at": expires_at.isoformat()}
        answer = await self._rest("/sessions", body)
        self._record("create", person, answer, creates=(session(token),))
        if answer.outcome == "ok":
            person.live.append(token)
        return None

    async def _write(self, _: Person) -> None:
        """A row of a table in which nothing is unique: sent twice, it is there twice."""
        value, expires_at = self._unique("value "), datetime.now(UTC) + timedelta(hours=1)
        body = {"identifier": value, "value": value, "expires_at": expires_at.isoformat()}
        self._record("write", None, await self._rest("/verifications", body), creates=(row(value),))

    async def _verify(self, person: Person) -> None:
        await self._look(person, self._random.choice(person.live), "verify")

    async def _refresh(self, person: Person) -> None:
        await self._look(person, self._random.choice(person.live), "refresh")

    async def _look(self, person: Person, token: str, kind: str) -> None:
        query = "?disableRefresh=true" if kind == "verify" else ""
        answer = await self._auth("GET", f"/get-session{query}", token=token)
        if answer.outcome == "ok" and answer.body is not None:
            found, user = answer.body["session"], answer.body["user"]
            self._record(
                kind, person, answer,
                sees={session(found["token"]): _seconds(found["expiresAt"])},
                reads={person.name: user["name"]},
            )  # fmt: skip
        else:
            self._record(kind, person, answer, **self._missed(answer, token))

    async def _list(self, person: Person) -> None:
        token, expected = self._random.choice(person.live), [*person.live]
        answer = await self._auth("GET", "/list-sessions", token=token)
        if answer.outcome == "ok":
            found = {session(one["token"]): _seconds(one["expiresAt"]) for one in answer.body}
            missed = tuple(one for one in map(session, expected) if one not in found)
            self._record("list", person, answer, sees=found, misses=missed)
        else:
            self._record("list", person, answer, **self._missed(answer, token))

    async def _revoke(self, person: Person) -> None:
        """One session by another, while both are being refreshed."""
        token, by = self._random.sample(person.live, 2)
        person.live.remove(token)

        async def revoke() -> None:
            answer = await self._auth("POST", "/revoke-session", {"token": token}, token=by)
            self._record(
                "revoke", person, answer, ends=(session(token),), **self._missed(answer, by)
            )

        looks = (self._look(person, token, kind) for kind in ("refresh", "verify"))
        await asyncio.gather(revoke(), *looks)
        await self._look(person, token, "verify")

    async def _sign_out(self, person: Person) -> None:
        token = person.live.pop(self._random.randrange(len(person.live)))
        answer = await self._auth("POST", "/sign-out", {}, token=token)
        self._record("sign-out", person, answer, ends=(session(token),))
        await self._look(person, token, "refresh")

    async def _revoke_others(self, person: Person) -> None:
        token, others = self._random.choice(person.live), [*person.live]
        person.live[:] = [token]
        answer = await self._auth("POST", "/revoke-other-sessions", {}, token=token)
        kept = (session(token),)
        missed = self._missed(answer, token)
        self._record("revoke-others", person, answer, ends_others=kept, **missed)
        await self._look(person, self._random.choice(others), "verify")

    async def _rename(self, person: Person) -> None:
        token, name = self._random.choice(person.live), self._unique("name ")
        answer = await self._auth("POST", "/update-user", {"name": name}, token=token)
        missed = self._missed(answer, token)
        self._record("rename", person, answer, writes={person.name: name}, **missed)

    async def _change_password(self, person: Person) -> None:
        if person.changing.locked():
            return
        async with person.changing:  # the next one has to know the password
            token, password = self._random.choice(person.live), self._unique("password ")
            body = {
                "currentPassword": person.password,
                "newPassword": password,
                "revokeOtherSessions": False,
            }
            answer = await self._auth("POST", "/change-password", body, token=token)
            wrong = answer.status == 400
            self._record(
                "change-password", person, answer,
                writes={person.secret: password},
                denies={person.secret: person.password} if wrong else {},
                **self._missed(answer, token),
            )  # fmt: skip
            if answer.outcome == "ok":
                person.password = password

    async def _delete(self, person: Person) -> None:
        if len(self._people) <= 2 or person not in self._people:
            return
        self._people.remove(person)
        token, others = self._random.choice(person.live), [*person.live]
        answer = await self._auth("POST", "/delete-user", {}, token=token)
        missed = self._missed(answer, token)
        self._record("delete", person, answer, ends=(person.user,), **missed)
        await self._look(person, self._random.choice(others), "verify")

    # --- requests ---------------------------------------------------------------------------------

    async def _auth(
        self, method: str, path: str, body: Any = None, token: str | None = None
    ) -> Answer:
        signed = quote(_SIGNER.sign(token), safe="") if token else None
        cookie = {"cookie": f"better-auth.session_token={signed}"} if signed else {}
        return await self._send(method, f"/api/auth{path}", body, cookie)

    async def _rest(self, path: str, body: Any) -> Answer:
        headers = {"apikey": KEYS["all"], "prefer": "return=minimal"}
        return await self._send("POST", f"/rest/v1{path}", body, headers)

    async def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        url = f"{self._random.choice(self._urls)}{path}"
        begin = time.monotonic()
        try:
            response = await self._http.request(
                method, url, headers=headers, **({} if body is None else {"json": body})
            )
        except httpx.HTTPError:
            return Answer(begin, time.monotonic(), "unknown")
        status = response.status_code
        unknown = status >= 500 or status in (408, 429)
        outcome: Outcome = "unknown" if unknown else "ok" if status < 300 else "refused"
        read = json.loads(response.content) if response.content and not unknown else None
        return Answer(begin, time.monotonic(), outcome, status, read)

    @staticmethod
    def _missed(answer: Answer, token: str) -> dict[str, Any]:
        """What an answer that is neither a failure nor a success says of the session that asked."""
        gone = answer.status == 401 or (answer.outcome == "ok" and answer.body is None)
        return {"misses": (session(token),)} if gone else {}

    def _record(self, kind: str, person: Person | None, answer: Answer, **what: Any) -> None:
        user = person.email if person else ""
        times = {"begin": answer.begin, "end": answer.end, "outcome": answer.outcome}
        self.history.append(Operation(kind=kind, user=user, **times, **what))

    def _unique(self, word: str) -> str:
        self._count += 1
        return f"{word}{self._seed}-{self._count:06}"


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
