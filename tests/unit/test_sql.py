"""app/sql.py: parameters numbered once, Python values untouched, no value in the text."""

import enum
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pypika import (
    AliasedQuery,
    Array,
    Case,
    Column,
    Criterion,
    CustomFunction,
    Interval,
    Order,
    PostgreSQLQuery,
    Tuple,
)
from pypika import Query as AnyQuery
from pypika import functions as fn
from pypika.analytics import RowNumber
from pypika.terms import (
    JSON,
    AtTimezone,
    Bracket,
    EmptyCriterion,
    ExistsCriterion,
    Function,
    Index,
    LiteralValue,
    NamedParameter,
    NullValue,
    NumericParameter,
    PseudoColumn,
    QmarkParameter,
    Rollup,
    Star,
    SystemTimeValue,
    Values,
    ValueWrapper,
)

from app.sql import (
    Expression,
    Field,
    InlinedValueError,
    Not,
    Parameter,
    Query,
    Rows,
    Statement,
    Subquery,
    Table,
    explained,
    named,
    statement,
)

users = Table("users")
sessions = Table("sessions")
ID = Parameter("id", "uuid")
NAME = Parameter("name", "text")
MARKER = "sUsPiCiOuS"


def text(query: Any) -> str:
    return statement("t", query).text


# --- parameters -----------------------------------------------------------------------------------


def test_parameters_are_numbered_by_first_appearance() -> None:
    # WHERE is built before SELECT's expression and LIMIT, but stands after it in the text.
    made = statement(
        "page",
        Query.from_(users)
        .where(users.name == NAME)
        .where(users.id == ID)
        .select(Expression("upper({})", Parameter("label", "text"), alias="label"), users.id)
        .limit(Parameter("limit", "bigint"))
        .offset(Parameter("offset", "bigint")),
    )
    assert made.text == (
        '/* gatepost:page */ SELECT upper($1::text) "label","id" FROM "users" '
        'WHERE "name"=$2::text AND "id"=$3::uuid LIMIT $4::bigint OFFSET $5::bigint'
    )
    assert made.parameters == (
        ("label", "text"),
        ("name", "text"),
        ("id", "uuid"),
        ("limit", "bigint"),
        ("offset", "bigint"),
    )


def test_repeated_parameter_keeps_its_number() -> None:
    made = statement(
        "twice",
        Query.from_(users)
        .select(users.id)
        .where((users.name == NAME) | (users.email == Parameter("name", "text")))
        .where(users.id == ID)
        .where(users.image == NAME),
    )
    assert re.findall(r"\$\d+::\w+", made.text) == ["$1::text", "$1::text", "$2::uuid", "$1::text"]
    assert made.parameters == (("name", "text"), ("id", "uuid"))


def test_parameters_past_nine_stay_apart() -> None:
    query = Query.from_(users).select(users.id)
    for number in range(1, 13):
        query = query.where(users.name != Parameter(f"p{number}", "text"))
    made = statement("many", query)
    assert [int(n) for n in re.findall(r"\$(\d+)::text", made.text)] == list(range(1, 13))
    assert made.parameters == tuple((f"p{number}", "text") for number in range(1, 13))


def test_arguments_keep_their_types_and_identity() -> None:
    made = statement(
        "insert",
        Query.into(sessions)
        .columns("id", "user_id", "expires_at", "token", "ip_address")
        .insert(
            Parameter("id", "uuid"),
            Parameter("user_id", "uuid"),
            Parameter("expires_at", "timestamptz"),
            Parameter("token", "text"),
            Parameter("ip_address", "text"),
        ),
    )
    values = {
        "ip_address": None,
        "token": "'; drop table users; --",
        "expires_at": datetime(2026, 1, 1, tzinfo=UTC),
        "user_id": UUID(int=2),
        "id": UUID(int=1),
        "unused": object(),
    }
    arguments = made.arguments(values)
    assert all(a is values[name] for a, (name, _) in zip(arguments, made.parameters, strict=True))
    assert [name for name, _ in made.parameters] == [
        "id",
        "user_id",
        "expires_at",
        "token",
        "ip_address",
    ]


def test_missing_argument_is_an_error() -> None:
    made = statement("one", Query.from_(users).select(users.id).where(users.id == ID))
    with pytest.raises(KeyError):
        made.arguments({})


def test_parameter_of_two_types_is_refused() -> None:
    query = Query.from_(users).select(users.id).where(users.id == ID)
    with pytest.raises(InlinedValueError, match="two types"):
        statement("clash", query.where(users.name == Parameter("id", "text")))


def test_equal_trees_render_equally() -> None:
    def build() -> Statement:
        return statement("same", Query.from_(users).select(users.id).where(users.id == ID))

    assert build() == build()
    assert hash(build()) == hash(build())


def test_statement_text_begins_with_its_name() -> None:
    made = statement("users_by_id", Query.from_(users).select(users.id))
    assert made.name == "users_by_id"
    assert made.text == '/* gatepost:users_by_id */ SELECT "id" FROM "users"'
    assert made.parameters == ()


def test_explained_statement_takes_its_parameters() -> None:
    made = statement("one", Query.from_(users).select(users.id).where(users.id == ID))
    plan = explained(made)
    assert plan.text == f"EXPLAIN (FORMAT JSON) {made.text}"
    assert plan.parameters == made.parameters
    assert plan.name != made.name


def test_named_query_is_unchanged() -> None:
    query = ids()
    assert named(query, "x").alias == "x"
    assert query.alias is None


# --- what may be built ----------------------------------------------------------------------------


def ids() -> Any:
    """A new query each time: PyPika's copies share lists (DISTINCT ON, ON CONFLICT)."""
    return Query.from_(users).select(users.id)


ALLOWED: dict[str, tuple[Any, str]] = {
    "null test": (
        ids().where(users.image.isnull()),
        'SELECT "id" FROM "users" WHERE "image" IS NULL',
    ),
    "not null test": (
        ids().where(users.image.isnotnull()),
        'SELECT "id" FROM "users" WHERE "image" IS NOT NULL',
    ),
    "not": (
        ids().where(Not(users.name == NAME)),
        'SELECT "id" FROM "users" WHERE NOT "name"=$1::text',
    ),
    "and, or": (
        ids().where(((users.id == ID) | (users.name == NAME)) & users.email_verified.isnotnull()),
        'SELECT "id" FROM "users" WHERE ("id"=$1::uuid OR "name"=$2::text) '
        'AND "email_verified" IS NOT NULL',
    ),
    "empty criterion": (ids().where(EmptyCriterion()), 'SELECT "id" FROM "users"'),
    "expression": (
        ids().where(Expression("{} IS DISTINCT FROM {}", users.image, Parameter("i", "text"))),
        'SELECT "id" FROM "users" WHERE "image" IS DISTINCT FROM $1::text',
    ),
    "any": (
        ids().where(Expression("{} = ANY ({})", users.id, Parameter("ids", "uuid[]"))),
        'SELECT "id" FROM "users" WHERE "id" = ANY ($1::uuid[])',
    ),
    "join": (
        Query.from_(users)
        .left_join(sessions)
        .on(sessions.user_id == users.id)
        .select(users.id)
        .where(sessions.token == Parameter("token", "text")),
        'SELECT "users"."id" FROM "users" LEFT JOIN "sessions" '
        'ON "sessions"."user_id"="users"."id" WHERE "sessions"."token"=$1::text',
    ),
    "with": (
        Query.with_(ids().where(users.id == ID), "w").from_(AliasedQuery("w")).select(Field("id")),
        'WITH w AS (SELECT "id" FROM "users" WHERE "id"=$1::uuid) SELECT "id" FROM w',
    ),
    "named subquery": (
        Query.from_(users).select(named(ids().where(users.id == ID), "x")),
        'SELECT (SELECT "id" FROM "users" WHERE "id"=$1::uuid) "x" FROM "users"',
    ),
    "order": (
        ids().orderby(users.name, order=Order.desc),
        'SELECT "id" FROM "users" ORDER BY "name" DESC',
    ),
    "rows": (
        Query.from_(
            Rows("r", {"id": Parameter("ids", "uuid[]"), "n": Parameter("ns", "text[]")})
        ).select(Table("r").id),
        'SELECT "id" FROM unnest($1::uuid[], $2::text[]) AS "r" ("id", "n")',
    ),
    "subquery": (
        Query.from_(Subquery("s", ids().where(users.id == ID))).select(Field("id")),
        'SELECT "id" FROM (SELECT "id" FROM "users" WHERE "id"=$1::uuid) AS "s"',
    ),
    "update": (
        Query.update(users).set(users.name, NAME).where(users.id == ID).returning(users.id),
        'UPDATE "users" SET "name"=$1::text WHERE "id"=$2::uuid RETURNING "users"."id"',
    ),
    "delete": (
        Query.from_(users).delete().where(users.id == ID),
        'DELETE FROM "users" WHERE "id"=$1::uuid',
    ),
    "insert": (
        Query.into(users).columns("id", "name").insert(ID, NAME).returning(users.id),
        'INSERT INTO "users" ("id","name") VALUES ($1::uuid,$2::text) RETURNING "id"',
    ),
    "upsert from excluded": (
        Query.into(users)
        .columns("id", "name")
        .insert(ID, NAME)
        .on_conflict("id")
        .do_update("name"),
        'INSERT INTO "users" ("id","name") VALUES ($1::uuid,$2::text) '
        'ON CONFLICT ("id") DO UPDATE SET "name"=EXCLUDED."name"',
    ),
    "do nothing": (
        Query.into(users).columns("id").insert(ID).on_conflict("id").do_nothing(),
        'INSERT INTO "users" ("id") VALUES ($1::uuid) ON CONFLICT ("id") DO NOTHING',
    ),
    "skip locked": (
        ids().limit(Parameter("limit", "bigint")).for_update(skip_locked=True),
        'SELECT "id" FROM "users" LIMIT $1::bigint FOR UPDATE SKIP LOCKED',
    ),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_supported_query_is_rendered(case: str) -> None:
    query, expected = ALLOWED[case]
    assert text(query) == f"/* gatepost:t */ {expected}"


# --- what is refused ------------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = MARKER


# Every Python value PyPika knows how to write into the text.
CONSTANTS: tuple[Any, ...] = (
    MARKER,
    "",
    0,
    1,
    -1,
    1 << 70,
    1.5,
    float("nan"),
    True,
    False,
    None,
    Decimal("1.5"),
    date(2026, 1, 1),
    datetime(2026, 1, 1, tzinfo=UTC),
    UUID(int=1),
    b"bytes",
    Colour.RED,
    ["a", "b"],
    ("a", "b"),
    [],
    (),
)

# Where a constant can be put into a tree.
POSITIONS: dict[str, Callable[[Any], Any]] = {
    "eq": lambda v: ids().where(users.name == v),
    "eq, value first": lambda v: ids().where(v == users.name),
    "ne": lambda v: ids().where(users.name != v),
    "gt": lambda v: ids().where(users.name > v),
    "lte": lambda v: ids().where(users.name <= v),
    "like": lambda v: ids().where(users.name.like(v)),
    "ilike": lambda v: ids().where(users.name.ilike(v)),
    "regex": lambda v: ids().where(users.name.regex(v)),
    "glob": lambda v: ids().where(users.name.glob(v)),
    "isin list": lambda v: ids().where(users.name.isin([v])),
    "isin tuple": lambda v: ids().where(users.name.isin((v,))),
    "isin mixed with a parameter": lambda v: ids().where(users.name.isin([NAME, v])),
    "notin": lambda v: ids().where(users.name.notin([v])),
    "between, low": lambda v: ids().where(users.name.between(v, NAME)),
    "between, high": lambda v: ids().where(users.name[NAME:v]),
    "and-ed twice": lambda v: ids().where((users.id == ID) & (users.name == v)),
    "or-ed": lambda v: ids().where((users.id == ID) | (users.name == v)),
    "inside Not": lambda v: ids().where(Not(users.name == v)),
    "inside Criterion.all": lambda v: ids().where(Criterion.all([users.id == ID, users.name == v])),
    "bracket": lambda v: ids().where(Bracket(v)),
    "selected": lambda v: Query.from_(users).select(ValueWrapper(v)),
    "selected with an alias": lambda v: Query.from_(users).select(ValueWrapper(v, alias="a")),
    "joined on": lambda v: (
        Query.from_(users)
        .join(sessions)
        .on((sessions.user_id == users.id) & (sessions.token == v))
        .select(users.id)
    ),
    "function argument": lambda v: Query.from_(users).select(Function("f", v)),
    "nested function argument": lambda v: Query.from_(users).select(
        Function("f", Function("g", ID, v))
    ),
    "custom function": lambda v: Query.from_(users).select(CustomFunction("f", ["a"])(v)),
    "expression term": lambda v: ids().where(Expression("{}", ValueWrapper(v))),
    "expression in expression": lambda v: ids().where(
        Expression("{}", Expression("f({})", ValueWrapper(v)))
    ),
    "arithmetic": lambda v: Query.from_(users).select(users.name + v),
    "arithmetic, value first": lambda v: Query.from_(users).select(
        Function("f", users.name.__radd__(v))
    ),
    "case, then": lambda v: Query.from_(users).select(Case().when(users.id == ID, v).else_(NAME)),
    "case, else": lambda v: Query.from_(users).select(Case().when(users.id == ID, NAME).else_(v)),
    "inserted": lambda v: Query.into(users).columns("id", "name").insert(ID, ValueWrapper(v)),
    "inserted in the second row": lambda v: (
        Query.into(users).columns("name").insert((NAME,), (ValueWrapper(v),))
    ),
    "set": lambda v: Query.update(users).set(users.name, v).where(users.id == ID),
    "set by name": lambda v: Query.update(users).set("name", v).where(users.id == ID),
    "update where": lambda v: Query.update(users).set(users.name, NAME).where(users.id == v),
    "delete where": lambda v: Query.from_(users).delete().where(users.id == v),
    "do update": lambda v: (
        Query.into(users)
        .columns("id")
        .insert(ID)
        .on_conflict("id")
        .do_update("name", v if isinstance(v, Parameter) else ValueWrapper(v))
    ),
    "do update where": lambda v: (
        Query.into(users)
        .columns("id")
        .insert(ID)
        .on_conflict("id")
        .do_update("name")
        .where(users.name == v)
    ),
    "on conflict where": lambda v: (
        Query.into(users)
        .columns("id")
        .insert(ID)
        .on_conflict("id")
        .where(users.name == v)
        .do_update("name")
    ),
    "returning": lambda v: Query.into(users).columns("id").insert(ID).returning(ValueWrapper(v)),
    "order by": lambda v: ids().orderby(ValueWrapper(v)),
    "group by": lambda v: ids().groupby(ValueWrapper(v)),
    "having": lambda v: ids().groupby(users.id).having(users.name == v),
    "distinct on": lambda v: ids().distinct_on(ValueWrapper(v)),
    "limit": lambda v: ids().limit(ValueWrapper(v)),
    "offset": lambda v: ids().offset(ValueWrapper(v)),
    "subquery in FROM": lambda v: Query.from_(Subquery("s", ids().where(users.name == v))).select(
        Field("id")
    ),
    "query in FROM": lambda v: Query.from_(ids().where(users.name == v)).select(Field("id")),
    "query in IN": lambda v: ids().where(users.id.isin(ids().where(users.name == v))),
    "query in SELECT": lambda v: Query.from_(users).select(
        Expression("({})", ids().where(users.name == v))
    ),
    "common table expression": lambda v: (
        Query.with_(ids().where(users.name == v), "w").from_(AliasedQuery("w")).select(Field("id"))
    ),
    "union": lambda v: ids().union(ids().where(users.name == v)),
    "table period": lambda v: Query.from_(users.for_(SystemTimeValue().from_to(v, v))).select(
        users.id
    ),
    "parameter wrapped": lambda v: ids().where(users.name == ValueWrapper([NAME, v])),
}


@pytest.mark.parametrize("position", POSITIONS)
def test_constant_is_refused_in_every_position(position: str) -> None:
    for value in CONSTANTS:
        with pytest.raises(InlinedValueError):
            text(POSITIONS[position](value))


# The positions whose trees are of nothing but allowed parts: there the value alone is refused.
BINDABLE = (
    "eq", "ne", "gt", "lte", "like", "ilike", "regex", "and-ed twice", "or-ed", "inside Not",
    "inside Criterion.all", "joined on", "set", "set by name", "update where", "delete where",
    "do update", "do update where", "on conflict where", "having", "subquery in FROM",
    "query in SELECT", "common table expression",
)  # fmt: skip


@pytest.mark.parametrize("position", BINDABLE)
def test_parameter_is_accepted_in_every_position(position: str) -> None:
    assert "$" in text(POSITIONS[position](Parameter("v", "text")))


TERMS: dict[str, Callable[[], Any]] = {
    "ValueWrapper of a parameter": lambda: ValueWrapper(NAME),
    "LiteralValue": lambda: LiteralValue(f"'{MARKER}'"),
    "NullValue": lambda: NullValue(),
    "SystemTimeValue": lambda: SystemTimeValue(),
    "Star": lambda: Star(),
    "Star of a table": lambda: users.star,
    "JSON": lambda: JSON({"a": MARKER}),
    "JSON path": lambda: users.name.get_json_value(MARKER),
    "JSON contains": lambda: users.name.contains({"a": MARKER}),
    "Interval": lambda: Interval(days=1),
    "Array": lambda: Array(1, 2),
    "empty Array": lambda: Array(),
    "Array of parameters": lambda: Array(ID),
    "Tuple": lambda: Tuple(1, 2),
    "Tuple of parameters": lambda: Tuple(ID, NAME),
    "Case of a value": lambda: Case().when(users.id == ID, MARKER),
    "Case when a value": lambda: Case().when(users.name == MARKER, NAME),
    "Case else a value": lambda: Case().when(users.id == ID, NAME).else_(MARKER),
    "count(*)": lambda: fn.Count("*"),
    "coalesce": lambda: fn.Coalesce(users.name, MARKER),
    "cast": lambda: fn.Cast(users.name, "varchar"),
    "now": lambda: fn.Now(),
    "date add": lambda: fn.DateAdd("day", 1, users.created_at),
    "substring": lambda: fn.Substring(users.name, 1, 2),
    "window": lambda: RowNumber().over(users.id).orderby(users.id),
    "rollup": lambda: Rollup(users.id),
    "negative": lambda: -ValueWrapper(1),
    "power": lambda: users.name**2,
    "modulo": lambda: users.name % 2,
    "bitwise and": lambda: users.name.bitwiseand(1),
    "bitwise or": lambda: users.name.bitwiseor(1),
    "shift": lambda: users.name << 1,
    "at time zone": lambda: AtTimezone(users.created_at, MARKER),
    "exists": lambda: ExistsCriterion(ids().where(users.name == MARKER)),
    "pseudo column": lambda: PseudoColumn(MARKER),
    "Values": lambda: Values("name"),
    "index": lambda: Index("i"),
    "all": lambda: users.name.all_(),
    "a function, even of a parameter": lambda: Function("f", ID),
    "in, even of a query": lambda: users.id.isin(ids()),
    "a collector of PyPika's own": lambda: NamedParameter(MARKER),
    "a question mark": lambda: QmarkParameter(),
    "a number of PyPika's own": lambda: NumericParameter(1),
    "a subclass of Parameter": lambda: type("P", (Parameter,), {})("p", "text"),
    "a subclass of Field": lambda: type("F", (Field,), {})("f"),
    "a query of another dialect": lambda: AnyQuery.from_(users).select(users.id),
    "PyPika's own PostgreSQL query": lambda: PostgreSQLQuery.from_(users).select(users.id),
}


def test_case_and_exists_accept_parameters() -> None:
    name = Case().when(users.id == ID, NAME).else_(users.name)
    query = Query.from_(users).select(name).where(ExistsCriterion(ids().where(users.id == ID)))
    rendered = text(query)
    assert "CASE WHEN" in rendered
    assert "EXISTS (SELECT" in rendered
    assert "$1::uuid" in rendered


@pytest.mark.parametrize("term", TERMS)
def test_term_that_may_hold_a_value_is_refused(term: str) -> None:
    made = TERMS[term]()
    for query in (
        Query.from_(users).select(Expression("{}", made)),
        Query.from_(users).select(users.id).where(Expression("{} = {}", users.name, made)),
        Query.from_(Subquery("s", Query.from_(users).select(Expression("{}", made)))).select(ID),
        Query.update(users).set(users.name, made).where(users.id == ID),
    ):
        with pytest.raises(InlinedValueError):
            text(query)


def _with_argument(argument: Any) -> Function:
    function = Function("f", ID)
    function.args.append(argument)
    return function


STATEMENTS: dict[str, Callable[[], Any]] = {
    "limit": lambda: ids().limit(5),
    "limit 0": lambda: ids().limit(0),
    "offset": lambda: ids().offset(5),
    "limit and offset by slice": lambda: ids()[5:10],
    "limit as text": lambda: ids().limit("5; drop table users"),
    "limit as a field": lambda: ids().limit(users.id),
    "limit in a subquery": lambda: Query.from_(Subquery("s", ids().limit(1))).select(Field("id")),
    "select *": lambda: Query.from_(users).select("*"),
    "select a number": lambda: Query.from_(users).select(1),
    "select null": lambda: Query.from_(users).select(None),
    "returning *": lambda: Query.into(users).columns("id").insert(ID).returning("*"),
    "returning a number": lambda: Query.into(users).columns("id").insert(ID).returning(1),
    "insert a text": lambda: Query.into(users).columns("name").insert(MARKER),
    "insert null": lambda: Query.into(users).columns("name").insert(None),
    "do update": lambda: (
        Query.into(users).columns("id").insert(ID).on_conflict("id").do_update("name", MARKER)
    ),
    "another dialect": lambda: AnyQuery.from_(users).select(users.id),
    "PyPika's own PostgreSQL query": lambda: PostgreSQLQuery.from_(users).select(users.id),
    "union": lambda: ids().union(ids()),
    "create table": lambda: PostgreSQLQuery.create_table("t").columns(("a", "text")),
    "drop table": lambda: PostgreSQLQuery.drop_table("users"),
    "a column definition": lambda: Query.from_(users).select(
        Expression("{}", Column("a", "text", default=ValueWrapper(MARKER)))
    ),
    "a function argument that is no term": lambda: Query.from_(users).select(
        _with_argument(MARKER)
    ),
}


@pytest.mark.parametrize("case", STATEMENTS)
def test_statement_that_may_hold_a_value_is_refused(case: str) -> None:
    with pytest.raises(InlinedValueError):
        text(STATEMENTS[case]())


def test_error_names_the_term_without_the_tree() -> None:
    with pytest.raises(InlinedValueError) as caught:
        text(ids().where(users.name == MARKER * 1000))
    assert "ValueWrapper" in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", ["Id", "user id", "", "a\x00b", "é"])
def test_parameter_with_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises((InlinedValueError, ValueError)):
        text(Query.from_(users).select(users.id).where(users.id == Parameter(name, "uuid")))


# --- names ----------------------------------------------------------------------------------------

NASTY = '";drop table users;--'
QUOTED = '"";drop table users;--'


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            Query.from_(Table(NASTY)).select(Field(NASTY)),
            f'SELECT "{QUOTED}" FROM "{QUOTED}"',
        ),
        (
            Query.from_(Table("t", schema=NASTY)).select(Field("a")),
            f'SELECT "a" FROM "{QUOTED}"."t"',
        ),
        (
            Query.from_(Table("t", alias=NASTY)).select(Table("t", alias=NASTY).a),
            f'SELECT "{QUOTED}"."a" FROM "t" "{QUOTED}"',
        ),
        (
            Query.from_(users).select(users.id.as_(NASTY)),
            f'SELECT "id" "{QUOTED}" FROM "users"',
        ),
        (
            Query.from_(users).select(Expression("f({})", users.id, alias=NASTY)),
            f'SELECT f("id") "{QUOTED}" FROM "users"',
        ),
        (
            Query.from_(users).select(named(Field(NASTY), NASTY)),
            f'SELECT "{QUOTED}" "{QUOTED}" FROM "users"',
        ),
        (
            Query.from_(Rows(NASTY, {NASTY: Parameter("a", "uuid[]")})).select(Field("a")),
            f'SELECT "a" FROM unnest($1::uuid[]) AS "{QUOTED}" ("{QUOTED}")',
        ),
        (
            Query.from_(Subquery(NASTY, ids())).select(Field("id")),
            f'SELECT "id" FROM (SELECT "id" FROM "users") AS "{QUOTED}"',
        ),
        (
            Query.into(Table(NASTY)).columns(NASTY).insert(ID).on_conflict(NASTY).do_update(NASTY),
            f'INSERT INTO "{QUOTED}" ("{QUOTED}") VALUES ($1::uuid) '
            f'ON CONFLICT ("{QUOTED}") DO UPDATE SET "{QUOTED}"=EXCLUDED."{QUOTED}"',
        ),
        (
            Query.update(users).set(NASTY, NAME).where(users.id == ID).returning(NASTY),
            f'UPDATE "users" SET "{QUOTED}"=$1::text WHERE "id"=$2::uuid '
            f'RETURNING "users"."{QUOTED}"',
        ),
        (
            ids().orderby(Field(NASTY), order=Order.asc).groupby(Field(NASTY)),
            f'SELECT "id" FROM "users" GROUP BY "{QUOTED}" ORDER BY "{QUOTED}" ASC',
        ),
        (
            ids().where(Expression("{} IS NULL", Field(NASTY, table=Table(NASTY)))),
            f'SELECT "users"."id" FROM "users" WHERE "{QUOTED}"."{QUOTED}" IS NULL',
        ),
        (
            ids().for_update(of=(NASTY,)),
            f'SELECT "id" FROM "users" FOR UPDATE OF "{QUOTED}"',
        ),
    ],
)
def test_names_are_quoted(query: Any, expected: str) -> None:
    assert text(query) == f"/* gatepost:t */ {expected}"


def test_braces_in_a_name_are_not_a_template() -> None:
    made = text(Query.from_(users).select(Expression("f({}, {})", Field("{0.alias}"), ID)))
    assert made.endswith('SELECT f("{0.alias}", $1::uuid) FROM "users"')


@pytest.mark.parametrize("name", [NASTY, "w AS (SELECT 1) --", "W", "two words", ""])
def test_common_table_expression_with_a_malformed_name_is_refused(name: str) -> None:
    # PyPika writes it without quotes
    for query in (
        Query.with_(ids(), name).from_(AliasedQuery("w")).select(Field("id")),
        Query.from_(AliasedQuery(name)).select(Field("id")),
    ):
        with pytest.raises(InlinedValueError):
            text(query)


@pytest.mark.parametrize("name", ["\x00id\x00", "\x00other\x00"])
def test_name_like_a_parameter_is_refused(name: str) -> None:
    with pytest.raises((InlinedValueError, ValueError)):
        text(Query.from_(users).select(users.id.as_(name)).where(users.id == ID))
