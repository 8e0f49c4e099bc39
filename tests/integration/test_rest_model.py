"""Generated reads through the REST API give what tests/integration/model.py says, in its order.

5,000 requests, the same in each run. With MODEL_EXAMPLES=n in the shell it is n others each time.
"""

import asyncio
import json
import logging
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, TypeVar
from urllib.parse import quote
from uuid import UUID

import asyncpg
import httpx
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from app.main import create_app
from app.settings import Settings
from tests.integration.model import (
    OTHER,
    TYPES,
    ColumnItem,
    Condition,
    Embed,
    Level,
    Logic,
    Order,
    Row,
    Tables,
    Typed,
    answer,
    parameters,
)
from tests.support import KEYS, Server, environment

pytestmark = pytest.mark.every_server

Item = TypeVar("Item")

EXPLORE: Final = os.environ.get("MODEL_EXAMPLES")
EXAMPLES: Final = int(EXPLORE or 5000)

# --- the rows -------------------------------------------------------------------------------------

NAMES: Final = (
    "", "Ann", "ann", "ANN", "Anna", "Bob", "null", "NULL", "true", "a,b", 'a"b', "a\\b", "(x)",
    "{x}", "a.b", "50%", "a_b", "axb", "Ünï", "ünï", "日本", "😀", "O'Neil", " lead", "trail ",
    "tab\t", "new\nline", "*star*", "eq.x", "and(a.b)", '"quoted"', "\\", ",", ")", "Zoë",
)  # fmt: skip
IMAGES: Final = (None, None, "", "https://a.test/1.png", "https://a.test/2.png?x=1&y=(2)", "null")
AGENTS: Final = ("", "curl/8.5.0", "Mozilla/5.0 (X11; Linux x86_64)", "mozilla", "x*y%z_")
ADDRESSES: Final = ("", "127.0.0.1", "::1", "2001:db8::ff", "10.0.0.10")
START: Final = datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)
MOMENTS: Final = tuple(
    START + timedelta(hours=7 * (n // 3), milliseconds=(0, 120, 999)[n % 3]) for n in range(12)
)


def made_rows() -> Tables:
    """40 users and 120 sessions: many ties, every character that the grammar treats apart."""
    chance = random.Random(2026)
    users: list[Row] = [
        {
            "id": UUID(int=chance.getrandbits(128)),
            "name": NAMES[number] if number < len(NAMES) else chance.choice(NAMES),
            "email": f"{chance.choice('abz_~')}{chance.choice('.+-_')}{number}@{number % 3}.te",
            "email_verified": chance.random() < 0.5,
            "image": chance.choice(IMAGES),
            "created_at": chance.choice(MOMENTS),
            "updated_at": chance.choice(MOMENTS),
            "role": chance.choice((None, "user", "admin")),
            "banned": chance.random() < 0.2,
            "ban_reason": chance.choice((None, "spam")),
            "ban_expires": chance.choice(MOMENTS),
        }
        for number in range(40)
    ]
    owners = [user["id"] for user in users[:30]]
    sessions: list[Row] = [
        {
            "id": UUID(int=chance.getrandbits(128)),
            "user_id": chance.choice(owners),
            "token": "".join(chance.choices("aAzZ09_-", k=chance.choice((32, 33, 40)))),
            "expires_at": chance.choice(MOMENTS) + timedelta(days=30),
            "ip_address": chance.choice(ADDRESSES),
            "user_agent": chance.choice(AGENTS),
            "created_at": chance.choice(MOMENTS),
            "updated_at": chance.choice(MOMENTS),
            "impersonated_by": chance.choice(owners[:3]),
        }
        for _ in range(120)
    ]
    return Tables(users=users, sessions=sessions)


TABLES: Final = made_rows()


# --- the requests ---------------------------------------------------------------------------------

COLUMN_ALIASES: Final = (
    "x", "Y", "name", "email", "token", "select", "a b", 'quo"te', "ünï", "1st", "dot.ted",
)  # fmt: skip
EMBED_ALIASES: Final = ("kin", "a", "B2")
TEXT_PIECES: Final = (
    "a", "A", "n", "1", "@", ".", ",", '"', "\\", "(", ")", "{", "}", "%", "_", "*", "'", " ",
    "&", "=", "+", "/", "?", "#", ";", ":", "ü", "日", "😀", "\t", "\n", "null", "eq.", "--", "$1",
)  # fmt: skip
LIKE_PIECES: Final = (
    "*", "%", "_", "\\%", "\\_", "\\\\", "\\a", "a", "A", "n", "b", "o", "x", ".", ",", "(", '"',
    "-", "0", "Z", "ü", "Ü", "http", "@",
)  # fmt: skip
REGEX_PIECES: Final = (
    "a", "n", "A", "b", "Z", "0", "_", "-", "x", ".", "[a-f]", "[^a]", "[A-Z0-9]", "(a|n)", "(x|)",
    "a*", "n+", "x?", ".*", "[0-9]{2}", r"\.", r"\*", r"\(", r"\\", "(an){1,2}",
)  # fmt: skip
TEXT_OPERATORS: Final = ("like", "ilike", "match", "imatch")
COMPARISONS: Final = ("eq", "neq", "gt", "gte", "lt", "lte")
QUANTIFIED: Final = frozenset(("eq", "gt", "gte", "lt", "lte", *TEXT_OPERATORS))
BOOLEANS: Final = {
    True: ("true", "t", "TRUE", "yes", "on", "1"),
    False: ("false", "f", "FALSE", "no", "off", "0"),
}
ZONES: Final = (UTC, timezone(timedelta(hours=-5)), timezone(timedelta(hours=5, minutes=30)))


class Drawn:
    """Choices made by bytes that hypothesis draws; zero is the first, no, and few."""

    def __init__(self, source: bytes) -> None:
        self._bytes = iter(source)

    def below(self, bound: int) -> int:
        return next(self._bytes, 0) % bound

    def one(self, choices: Sequence[Item]) -> Item:
        return choices[self.below(len(choices))]

    def chance(self, percent: int) -> bool:
        return self.below(100) >= 100 - percent

    def some(self, make: Callable[[], Item], most: int, *, least: int = 0) -> tuple[Item, ...]:
        return tuple(make() for _ in range(least + self.below(most - least + 1)))


def request(source: bytes) -> tuple[Level, bool]:
    """A read of a table, and whether its rows are to be counted."""
    drawn = Drawn(source)
    level = _level(drawn, drawn.one(("users", "sessions")), 0, set())
    return level, drawn.chance(50)


def _level(drawn: Drawn, table: str, depth: int, taken: set[str]) -> Level:
    items = _items(drawn, table, depth, taken)
    embeds = [item for item in items if isinstance(item, Embed)]
    conditions = drawn.some(lambda: _condition(drawn, table, embeds, 0), 3 if depth == 0 else 2)
    return Level(
        table,
        items,
        _distinct(conditions),
        drawn.some(lambda: _order(drawn, table, embeds), 3),
        drawn.below(30) + (depth > 0) if drawn.chance(30) else None,
        drawn.below(20 if depth == 0 else 3) if drawn.chance(20) else None,
    )


def _distinct(conditions: tuple[Condition | Logic, ...]) -> tuple[Condition | Logic, ...]:
    return tuple(dict.fromkeys(conditions))


def _items(drawn: Drawn, table: str, depth: int, taken: set[str]) -> tuple[ColumnItem | Embed, ...]:
    items: list[ColumnItem | Embed] = []
    # `taken` are the keys of the JSON object; the columns of a spread embed go into their parent's.
    if drawn.chance(25) and not taken & TYPES[table].keys():
        items.append(ColumnItem("*"))
        taken.update(TYPES[table])
    for _ in range(drawn.below(4)):
        name = drawn.one(tuple(TYPES[table]))
        alias = drawn.one(COLUMN_ALIASES) if drawn.chance(30) else None
        if (alias or name) not in taken:
            taken.add(alias or name)
            cast = "text" if drawn.chance(20) else None
            items.append(ColumnItem(name, alias, cast))
    names: set[str] = set()
    for _ in range(drawn.below(3) if depth < 3 and drawn.chance(60 - 15 * depth) else 0):
        embed = _embed(drawn, table, depth, taken, names)
        if embed is not None:
            items.insert(drawn.below(len(items) + 1), embed)
            names.add(embed.name)
    if not items and depth == 0:
        items.append(ColumnItem("id"))
    return tuple(items)


def _embed(drawn: Drawn, table: str, depth: int, taken: set[str], names: set[str]) -> Embed | None:
    target = OTHER[table]
    spread = drawn.chance(25)
    alias = drawn.one(EMBED_ALIASES) if not spread and drawn.chance(35) else None
    name = alias or target
    if name in names or (not spread and name in taken):
        return None
    if not spread:
        taken.add(name)
    level = _level(drawn, target, depth + 1, taken if spread else set())
    hint = drawn.one(("user_id", "sessions_user_id_fkey")) if drawn.chance(20) else None
    join = drawn.one(("inner", "left")) if drawn.chance(30) else None
    return Embed(level, alias, hint, join, spread)


def _order(drawn: Drawn, table: str, embeds: list[Embed]) -> Order:
    relation = None
    if table == "sessions" and embeds and drawn.chance(50):
        relation = drawn.one(embeds).name
    return Order(
        drawn.one(tuple(TYPES["users" if relation else table])),
        relation,
        drawn.one((None, True, False)),
        drawn.one((None, "first", "last")),
    )


def _condition(drawn: Drawn, table: str, embeds: list[Embed], depth: int) -> Condition | Logic:
    negated = drawn.chance(25)
    if depth < 3 and drawn.chance(25):
        children = drawn.some(lambda: _condition(drawn, table, embeds, depth + 1), 3, least=1)
        return Logic(drawn.one(("and", "or")), children, negated)
    if embeds and drawn.chance(30):
        name, test = drawn.one(embeds).name, drawn.one(("null", "not_null"))
        return Condition(name, "is", (Typed(test, test),), negated, relation=name)
    return _comparison(drawn, table, negated)


def _comparison(drawn: Drawn, table: str, negated: bool) -> Condition:
    column = drawn.one(tuple(TYPES[table]))
    type_ = TYPES[table][column]
    tests = ("null", "not_null", *(("true", "false", "unknown") if type_ == "boolean" else ()))
    operator = drawn.one(
        (*COMPARISONS, "in", "in", "is", "isdistinct", *(TEXT_OPERATORS * (type_ == "text")))
    )
    quantifier = None
    values: tuple[Typed, ...]
    if operator == "is":
        test = drawn.one(tests)
        values = (Typed(drawn.one((test, test.upper())), test),)
    elif operator == "in":
        values = drawn.some(lambda: _value(drawn, table, column, type_), 4)
        if [value.text for value in values] == [""]:
            values = ()  # PostgREST reads in.("") as an empty list
    else:
        if operator in QUANTIFIED and drawn.chance(25):
            quantifier = drawn.one(("any", "all"))
        if operator in TEXT_OPERATORS:

            def make() -> Typed:
                return _pattern(drawn, operator)
        else:

            def make() -> Typed:
                return _value(drawn, table, column, type_)

        values = drawn.some(make, 3) if quantifier else (make(),)
        if quantifier and drawn.chance(15):
            values += (Typed("NULL", None),)
    return Condition(column, operator, values, negated, quantifier)


def _pattern(drawn: Drawn, operator: str) -> Typed:
    likes = operator in ("like", "ilike")
    text = "".join(drawn.some(lambda: drawn.one(LIKE_PIECES if likes else REGEX_PIECES), 4))
    if not likes:
        text = ("^" if drawn.chance(30) else "") + text + ("$" if drawn.chance(30) else "")
    return Typed(text, text, drawn.chance(30))


def _value(drawn: Drawn, table: str, column: str, type_: str) -> Typed:
    there = drawn.one(TABLES[table])[column]
    quoted = drawn.chance(30)
    match type_:
        case "uuid":
            value = UUID(int=drawn.below(3)) if drawn.chance(10) else there
            form = drawn.one((str, lambda v: str(v).upper(), lambda v: v.hex))
            return Typed(form(value), value, quoted)
        case "boolean":
            value = drawn.chance(50)
            return Typed(drawn.one(BOOLEANS[value]), value, quoted)
        case "timestamptz":
            value = there + timedelta(microseconds=drawn.one((0, 0, 1, -1, 1000, -1000)))
            shown = value.astimezone(drawn.one(ZONES)).isoformat(drawn.one("T "))
            if shown.endswith("+00:00"):
                shown = shown[:-6] + drawn.one(("+00:00", "Z", "", "+00"))
            return Typed(shown, value, quoted)
    value = there or ""
    if drawn.chance(40):
        value = "".join(drawn.some(lambda: drawn.one(TEXT_PIECES), 3))
    return Typed(value, value, quoted)


# --- the application ------------------------------------------------------------------------------

Read = Callable[[Level, bool], httpx.Response]


def url(level: Level) -> str:
    pairs = (f"{quote(name)}={quote(value)}" for name, value in parameters(level))
    return f"/rest/v1/{level.table}?{'&'.join(pairs)}"


@pytest.fixture(scope="module")
def read(module_database_url: str) -> Iterator[Read]:
    """The application in this process, on a loop of its own: hypothesis calls plain functions."""
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()
    log = logging.getLogger("gatepost.access")
    level_before = log.level
    log.setLevel(logging.WARNING)  # pytest would keep thousands of lines

    async def start() -> httpx.AsyncClient:
        db = await asyncpg.connect(module_database_url)
        for table, rows in TABLES.items():
            records = [tuple(row.values()) for row in rows]
            await db.copy_records_to_table(table, records=records, columns=list(rows[0]))
            await db.execute(f"ANALYZE {table}")
        await db.close()
        app = create_app(Settings.from_environment(environment(module_database_url)))
        await stack.enter_async_context(app.router.lifespan_context(app))
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://gatepost.test",
            headers={"apikey": KEYS["all"]},
        )
        return await stack.enter_async_context(client)

    client = loop.run_until_complete(start())
    try:
        yield lambda level, count: loop.run_until_complete(
            client.get(url(level), headers={"Prefer": "count=exact"} if count else {})
        )
    finally:
        loop.run_until_complete(stack.aclose())
        loop.close()
        log.setLevel(level_before)


def pairs_of(value: Any) -> Any:
    """Rows with their keys in order, which a comparison of dicts would not see."""
    if isinstance(value, dict):
        return [(key, pairs_of(item)) for key, item in value.items()]
    return [pairs_of(item) for item in value] if isinstance(value, list) else value


def compare(level: Level, count: bool, response: httpx.Response) -> None:
    rows, total = answer(TABLES, level)
    start = level.offset or 0
    if count and start > total:
        assert response.status_code == 416
        assert response.json()["code"] == "PGRST103"
        return
    assert response.status_code == (206 if count and len(rows) < total else 200), response.text
    assert pairs_of(json.loads(response.content)) == pairs_of(rows)
    place = f"{start}-{start + len(rows) - 1}" if rows else "*"
    assert response.headers["content-range"] == f"{place}/{total if count else '*'}"


def test_generated_reads_match_the_model(read: Read, postgres: Server) -> None:
    examples = EXAMPLES // 10 if postgres.version < 18 else EXAMPLES
    done = 0

    @settings(
        max_examples=examples,
        derandomize=not EXPLORE,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
    )
    @given(st.binary(min_size=400, max_size=400))
    def check(source: bytes) -> None:
        nonlocal done
        level, count = request(source)
        note(url(level))
        compare(level, count, read(level, count))
        done += 1

    check()
    assert done >= examples
