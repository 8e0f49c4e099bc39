"""What the REST API should answer, in plain Python over the same rows: no SQL.

A Request is both written as a query string (``parameters``) and answered (``answer``). Sources:
PostgREST's "Tables and Views" and "Resource Embedding" for the grammar and the shape of the rows,
PostgreSQL for the operators: three-valued logic, order of nulls, LIKE, regular expressions.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final, Literal
from uuid import UUID

Row = dict[str, Any]
Truth = bool | None  # None is SQL's unknown

TYPES: Final[dict[str, dict[str, str]]] = {
    "users": {
        "id": "uuid",
        "name": "text",
        "email": "text",
        "email_verified": "boolean",
        "image": "text",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
        "role": "text",
        "banned": "boolean",
        "ban_reason": "text",
        "ban_expires": "timestamptz",
    },
    "sessions": {
        "id": "uuid",
        "user_id": "uuid",
        "token": "text",
        "expires_at": "timestamptz",
        "ip_address": "text",
        "user_agent": "text",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
        "impersonated_by": "uuid",
    },
}
OTHER: Final = {"users": "sessions", "sessions": "users"}
ASCII_ONLY: Final = frozenset(("email", "token"))  # COLLATE "C" folds the case of ASCII alone


class Tables(dict[str, list[Row]]):
    """The rows of each table by its name."""

    @cached_property
    def related(self) -> dict[tuple[str, UUID], list[Row]]:
        """What belongs to a row: by its table, and its id or, for a session, its user's."""
        found: dict[tuple[str, UUID], list[Row]] = {}
        for user in self["users"]:
            found["users", user["id"]] = []
            found["sessions", user["id"]] = [user]
        for session in self["sessions"]:
            found["users", session["user_id"]].append(session)
        return found


# --- the request ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Typed:
    """A value as it is typed in a request and as what it means."""

    text: str
    value: Any
    quoted: bool = False
    """Put in quotes although it need not be."""


@dataclass(frozen=True)
class Condition:
    """``column=operator.value``; with an embed's name in place of the column, a null filter."""

    column: str
    operator: str
    values: tuple[Typed, ...]
    negated: bool = False
    quantifier: Literal["any", "all"] | None = None
    relation: str | None = None


@dataclass(frozen=True)
class Logic:
    operator: Literal["and", "or"]
    children: "tuple[Condition | Logic, ...]"
    negated: bool = False


@dataclass(frozen=True)
class Order:
    column: str
    relation: str | None = None
    descending: bool | None = None
    nulls: Literal["first", "last"] | None = None


@dataclass(frozen=True)
class ColumnItem:
    name: str
    alias: str | None = None
    cast: str | None = None


@dataclass(frozen=True)
class Embed:
    level: "Level"
    alias: str | None = None
    hint: str | None = None
    join: Literal["inner", "left"] | None = None
    spread: bool = False

    @property
    def name(self) -> str:
        return self.alias or self.level.table


@dataclass(frozen=True)
class Level:
    """One table in a request: what is selected of it, filtered, in which order, how many."""

    table: str
    items: "tuple[ColumnItem | Embed, ...]"
    conditions: tuple[Condition | Logic, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int | None = None

    @property
    def embeds(self) -> "list[Embed]":
        return [item for item in self.items if isinstance(item, Embed)]

    @property
    def shows_nothing(self) -> bool:
        """An embed of nothing, or of such embeds alone, filters and is not shown."""
        return all(isinstance(item, Embed) and item.level.shows_nothing for item in self.items)


# --- the request as a query string ----------------------------------------------------------------


def parameters(level: Level) -> list[tuple[str, str]]:
    """The query string's pairs, not yet percent-encoded."""
    select = _select(level.items)
    return [("select", select), *_level_parameters(level, "")]


def _select(items: Iterable[ColumnItem | Embed]) -> str:
    return ",".join(_item(item) for item in items)


def _item(item: ColumnItem | Embed) -> str:
    alias = f"{_name(item.alias)}:" if item.alias else ""
    if isinstance(item, ColumnItem):
        return f"{alias}{item.name}{f'::{item.cast}' if item.cast else ''}"
    dots = "..." if item.spread else ""
    hints = "".join(f"!{hint}" for hint in (item.hint, item.join) if hint)
    return f"{dots}{alias}{item.level.table}{hints}({_select(item.level.items)})"


def _level_parameters(level: Level, path: str) -> Iterator[tuple[str, str]]:
    for condition in level.conditions:
        if isinstance(condition, Logic):
            negated = "not." if condition.negated else ""
            yield f"{path}{negated}{condition.operator}", f"({_children(condition)})"
        else:
            yield f"{path}{condition.column}", _operation(condition, in_logic=False)
    if level.order:
        yield f"{path}order", ",".join(_order(term) for term in level.order)
    if level.limit is not None:
        yield f"{path}limit", str(level.limit)
    if level.offset is not None:
        yield f"{path}offset", str(level.offset)
    for embed in level.embeds:
        yield from _level_parameters(embed.level, f"{path}{embed.name}.")


def _children(logic: Logic) -> str:
    parts = []
    for child in logic.children:
        if isinstance(child, Logic):
            negated = "not." if child.negated else ""
            parts.append(f"{negated}{child.operator}({_children(child)})")
        else:
            parts.append(f"{child.column}.{_operation(child, in_logic=True)}")
    return ",".join(parts)


def _operation(condition: Condition, *, in_logic: bool) -> str:
    negated = "not." if condition.negated else ""
    operator = condition.operator
    if operator == "in":
        value = f"({','.join(_element(literal) for literal in condition.values)})"
    elif condition.quantifier:
        operator += f"({condition.quantifier})"
        value = ",".join(_array_element(literal) for literal in condition.values)
        # in a logic tree the grammar ends an array at its first brace
        value = (
            _in_quotes(f"{{{value}}}") if in_logic and re.search("[{}]", value) else f"{{{value}}}"
        )
    else:
        (literal,) = condition.values
        plain = not in_logic or operator == "is"
        value = literal.text if plain else _element(literal)
    return f"{negated}{operator}.{value}"


def _element(literal: Typed) -> str:
    blank = literal.text != literal.text.strip()  # which means nothing around a value
    if literal.quoted or blank or not literal.text or re.search(r'[,()"\\{}]', literal.text):
        return _in_quotes(literal.text)
    return literal.text


def _array_element(literal: Typed) -> str:
    text = literal.text
    if literal.value is None:
        return text
    if literal.quoted or not text or text.lower() == "null" or re.search(r'[\s,"\\{}()]', text):
        return _in_quotes(text)
    return text


def _in_quotes(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def _name(name: str) -> str:
    return name if re.fullmatch(r"\w+", name, re.ASCII) else _in_quotes(name)


def _order(term: Order) -> str:
    text = f"{_name(term.relation)}({term.column})" if term.relation else term.column
    if term.descending is not None:
        text += ".desc" if term.descending else ".asc"
    return text + (f".nulls{term.nulls}" if term.nulls else "")


# --- the answer -----------------------------------------------------------------------------------


@dataclass
class Found:
    """A row that passed a level's filters, with what was found for each of its embeds."""

    row: Row
    embeds: "dict[str, list[Found]]" = field(default_factory=dict)


def answer(tables: Tables, level: Level) -> tuple[list[dict[str, Any]], int]:
    """The rows of the answer and how many there are without limit and offset."""
    found = _filtered(tables, level, tables[level.table])
    return [_shown(level, entry) for entry in _page(level, found)], len(found)


def _filtered(tables: Tables, level: Level, rows: Iterable[Row]) -> list[Found]:
    kept = []
    key = "id" if level.table == "users" else "user_id"
    for row in rows:
        entry = Found(row)
        for embed in level.embeds:
            related = tables.related[level.table, row[key]]
            entry.embeds[embed.name] = _page(embed.level, _filtered(tables, embed.level, related))
        missing = any(e.join == "inner" and not entry.embeds[e.name] for e in level.embeds)
        if not missing and _all(_truth(part, entry) for part in level.conditions) is True:
            kept.append(entry)
    return kept


def _page(level: Level, found: list[Found]) -> list[Found]:
    # The last term first: each sort is stable. `id` ends every order, so that it has no ties.
    for term in reversed((*level.order, Order("id"))):
        nulls_first = term.nulls == "first" if term.nulls else bool(term.descending)
        nulls = [entry for entry in found if _order_value(term, entry) is None]
        others = sorted(
            (entry for entry in found if _order_value(term, entry) is not None),
            key=lambda entry: _order_value(term, entry),
            reverse=bool(term.descending),
        )
        found = nulls + others if nulls_first else others + nulls
    start = level.offset or 0
    return found[start:] if level.limit is None else found[start : start + level.limit]


def _order_value(term: Order, entry: Found) -> Any:
    if term.relation is None:
        return entry.row[term.column]
    related = entry.embeds[term.relation]
    return related[0].row[term.column] if related else None


def _shown(level: Level, entry: Found) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for item in level.items:
        if isinstance(item, ColumnItem):
            for name in TYPES[level.table] if item.name == "*" else (item.name,):
                shown[item.alias or name] = _json(entry.row[name], item.cast)
            continue
        related = entry.embeds[item.name]
        rows = [_shown(item.level, each) for each in related]
        if item.spread:
            for name in _names(item.level):
                column = [row[name] for row in rows]
                shown[name] = column if level.table == "users" else (column or [None])[0]
        elif item.level.shows_nothing:
            continue
        elif level.table == "users":
            shown[item.name] = rows
        else:
            shown[item.name] = rows[0] if rows else None
    return shown


def _names(level: Level) -> Iterator[str]:
    for item in level.items:
        if isinstance(item, Embed):
            if item.spread:
                yield from _names(item.level)
            elif not item.level.shows_nothing:
                yield item.name
        elif item.name == "*":
            yield from TYPES[level.table]
        else:
            yield item.alias or item.name


def _json(value: Any, cast: str | None) -> Any:
    """A value as PostgreSQL writes it into JSON, or its text with the cast ``text``."""
    if isinstance(value, datetime):
        moment = value.astimezone(UTC)
        fraction = f"{moment.microsecond:06}".rstrip("0")
        date, time = f"{moment:%Y-%m-%d}", f"{moment:%H:%M:%S}" + (fraction and f".{fraction}")
        return f"{date} {time}+00" if cast else f"{date}T{time}+00:00"
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, bool) and cast:
        return "true" if value else "false"
    return value


# --- conditions -----------------------------------------------------------------------------------


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _all(truths: Iterable[Truth]) -> Truth:
    truths = list(truths)
    return False if False in truths else None if None in truths else True


def _any(truths: Iterable[Truth]) -> Truth:
    return _not(_all(_not(truth) for truth in truths))


def _truth(part: Condition | Logic, entry: Found) -> Truth:
    if isinstance(part, Logic):
        truths = (_truth(child, entry) for child in part.children)
        truth = _all(truths) if part.operator == "and" else _any(truths)
    elif part.relation is not None:
        truth = bool(entry.embeds[part.relation]) is (part.values[0].text == "not_null")
    else:
        truth = _compared(part, entry.row[part.column])
    return _not(truth) if part.negated else truth


def _compared(condition: Condition, left: Any) -> Truth:
    values = [literal.value for literal in condition.values]
    match condition.operator:
        case "is":
            return _IS[values[0]](left)
        case "isdistinct":
            return left is None or left != values[0]
        case "in":
            # = ANY of nothing is false, also for null
            return _any(None if left is None else left == value for value in values)
    compare = _OPERATORS[condition.operator]
    ascii_only = condition.column in ASCII_ONLY
    truths = (
        None if left is None or value is None else compare(left, value, ascii_only)
        for value in values
    )
    return _all(truths) if condition.quantifier == "all" else _any(truths)


_IS: Final = {
    "null": lambda left: left is None,
    "not_null": lambda left: left is not None,
    "true": lambda left: left is True,
    "false": lambda left: left is False,
    "unknown": lambda left: left is None,
}


def _like(text: str, pattern: str, _: bool) -> bool:
    parts = []
    characters = iter(pattern.replace("*", "%"))
    for character in characters:
        if character == "\\":
            parts.append(re.escape(next(characters)))
        else:
            parts.append({"%": ".*", "_": "."}.get(character) or re.escape(character))
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def _lower(text: str, ascii_only: bool) -> str:
    return re.sub("[A-Z]+", lambda run: run[0].lower(), text) if ascii_only else text.lower()


def _ilike(text: str, pattern: str, ascii_only: bool) -> bool:
    return _like(_lower(text, ascii_only), _lower(pattern, ascii_only), ascii_only)


def _match(text: str, pattern: str, _: bool) -> bool:
    return re.search(pattern.replace("$", r"\Z"), text, re.DOTALL) is not None


def _imatch(text: str, pattern: str, _: bool) -> bool:
    flags = re.DOTALL | re.IGNORECASE | re.ASCII
    return re.search(pattern.replace("$", r"\Z"), text, flags) is not None


_OPERATORS: Final = {
    "eq": lambda a, b, _: eq(a, b),
    "neq": lambda a, b, _: ne(a, b),
    "gt": lambda a, b, _: gt(a, b),
    "gte": lambda a, b, _: ge(a, b),
    "lt": lambda a, b, _: lt(a, b),
    "lte": lambda a, b, _: le(a, b),
    "like": _like,
    "ilike": _ilike,
    "match": _match,
    "imatch": _imatch,
}
