"""The query string, parsed to a tree.

Source: PostgREST 14, "Tables and Views", "Resource Embedding", "URL Grammar".
"""

import re
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import unquote_to_bytes

from app.rest.errors import RestError, bad_syntax, too_much
from app.rest.scanner import Text
from app.rest.tree import (
    ColumnItem,
    Condition,
    EmbedItem,
    Level,
    Logic,
    Order,
    Request,
    Tree,
    Value,
)

MAX_QUERY: Final = 32 * 1024
MAX_DEPTH: Final = 10
MAX_CONDITIONS: Final = 200
MAX_EMBEDS: Final = 20
MAX_ITEMS: Final = 200

OPERATORS: Final = frozenset(
    ("eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch", "in", "is")
) | {"isdistinct"}
_QUANTIFIED: Final = frozenset(("eq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch"))
_NOT_HERE: Final = frozenset(
    ("fts", "plfts", "phfts", "wfts", "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj")
)
_IS: Final = frozenset(("null", "not_null", "true", "false", "unknown"))
_AGGREGATES: Final = frozenset(("avg", "count", "max", "min", "sum"))
_CAST: Final = re.compile(r"[A-Za-z_][\w ]*", re.ASCII)
_ALIAS_BYTES: Final = 63


@dataclass(slots=True)
class _Level:
    conditions: list[Condition | Logic] = field(default_factory=list)
    order: tuple[Order, ...] = ()
    limit: int = -1
    offset: int = -1


def parse(query: bytes) -> Request:
    """Parse a raw query string. Raises RestError: PGRST100 with the position, or 414."""
    if len(query) > MAX_QUERY:
        raise RestError(414, "PGRST100", f"The query string is longer than {MAX_QUERY} bytes")
    return _Parser().request(_pairs(query))


def _pairs(query: bytes) -> list[tuple[str, str]]:
    pairs = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((decoded(name), decoded(value)))
    return pairs


def decoded(raw: bytes) -> str:
    """A raw part of a query string as text. Raises RestError: 22021 for what is no text."""
    try:
        if b"%" in raw or b"+" in raw:
            raw = unquote_to_bytes(raw.replace(b"+", b" "))
        text = raw.decode()
    except UnicodeDecodeError:
        raise RestError(
            400, "22021", 'invalid byte sequence for encoding "UTF8" in the query string'
        ) from None
    if "\0" in text:
        raise RestError(400, "22021", 'invalid byte sequence for encoding "UTF8": 0x00')
    return text


class _Parser:
    def __init__(self) -> None:
        self.values: list[Value] = []
        self.levels: dict[tuple[str, ...], _Level] = {}
        self.conditions = 0
        self.embeds = 0

    def request(self, pairs: list[tuple[str, str]]) -> Request:
        once: set[str] = set()
        select: tuple[ColumnItem | EmbedItem, ...] = (ColumnItem("*"),)
        columns = on_conflict = None
        for name, value in pairs:
            *path, last = _path(name)
            known = last in ("order", "limit", "offset") or name in (
                "select",
                "columns",
                "on_conflict",
            )
            if known and name in once:
                raise RestError(400, "PGRST100", f'"{name}" is given twice')
            once.add(name)
            if name == "select":
                select = Text("select parameter", value).whole(self.items)
            elif name == "columns":
                columns = Text("columns parameter", value).whole(_names)
            elif name == "on_conflict":
                on_conflict = Text("on_conflict parameter", value).whole(_names)
            else:
                self.level_parameter(tuple(path), last, value)
        levels = tuple(
            (path, Level(tuple(level.conditions), level.order, level.limit, level.offset))
            for path, level in sorted(self.levels.items())
        )
        return Request(Tree(select, levels, columns, on_conflict), self.values)

    def level_parameter(self, path: tuple[str, ...], last: str, value: str) -> None:
        negated = last in ("and", "or") and path[-1:] == ("not",)
        level = self.levels.setdefault(path[:-1] if negated else path, _Level())
        if last in ("and", "or"):
            text = Text("logic tree", value)
            level.conditions.append(
                text.whole(lambda t: self.logic(t, "and" if last == "and" else "or", negated, 1))
            )
        elif last == "order":
            level.order = Text("order", value).whole(_orders)
        elif last == "limit":
            level.limit = self.slot(_integer("limit", value))
        elif last == "offset":
            level.offset = self.slot(_integer("offset", value))
        else:
            level.conditions.append(self.filter(last, value))

    def slot(self, value: Value) -> int:
        self.values.append(value)
        return len(self.values) - 1

    # select

    def items(self, text: Text, depth: int = 1) -> tuple[ColumnItem | EmbedItem, ...]:
        if depth > MAX_DEPTH:
            raise too_much("levels of embedding", MAX_DEPTH)
        found: list[ColumnItem | EmbedItem] = []
        if text.done or text.peek(")"):
            return ()
        while True:
            found.append(self.item(text, depth))
            if len(found) > MAX_ITEMS:
                raise too_much("selected columns", MAX_ITEMS)
            if not text.take(","):
                return tuple(found)

    def item(self, text: Text, depth: int) -> ColumnItem | EmbedItem:
        if text.take("*"):
            return ColumnItem("*")
        spread = text.take("...")
        name, alias = text.name("a column or a relation"), None
        if text.peek(":") and not text.peek("::"):
            text.take(":")
            alias, name = name, text.name("a column or a relation")
            if alias.endswith("."):  # as the statement's own names do
                raise text.error("an alias that does not end in a dot")
            if len(alias.encode()) > _ALIAS_BYTES:
                raise too_much("bytes in an alias", _ALIAS_BYTES)
        hints = []
        while text.take("!"):
            hints.append(text.name("a foreign key, inner or left"))
        if text.peek("("):
            if name in _AGGREGATES and text.rest.startswith("()"):
                raise _aggregates()
            text.take("(")
            self.embeds += 1
            if self.embeds > MAX_EMBEDS:
                raise too_much("embedded relations", MAX_EMBEDS)
            items = self.items(text, depth + 1)
            text.expect(")")
            keys = [hint for hint in hints if hint not in ("inner", "left")]
            if len(keys) > 1:
                raise text.error("one foreign key")
            join: Literal["inner", "left"] = "inner" if "inner" in hints else "left"
            return EmbedItem(name, alias, keys[0] if keys else None, join, spread, items)
        if spread or hints:
            raise text.error('"("')
        if text.take("->"):
            raise _not_here("JSON paths")
        cast = None
        if text.take("::"):
            match = _CAST.match(text.text, text.at)
            if match is None:
                raise text.error("a type")
            cast, text.at = match[0].strip(), match.end()
        if text.peek("."):
            if re.match(rf"\.(?:{'|'.join(_AGGREGATES)})\(\)", text.rest):
                raise _aggregates()
            raise text.error('"," or the end')
        return ColumnItem(name, alias, cast)

    # filters

    def filter(self, column: str, value: str) -> Condition:
        text = Text("filter", value)
        operator, negated, quantifier = self.operator(text)
        return self.condition(column, operator, negated, quantifier, text, None)

    def operator(self, text: Text) -> tuple[str, bool, Literal["any", "all"] | None]:
        negated = text.take("not.")
        start = text.at
        match = re.compile(r"[a-z]+").match(text.text, text.at)
        operator = match[0] if match else ""
        if operator in _NOT_HERE:
            raise _not_here(f'The operator "{operator}"')
        if operator not in OPERATORS:
            raise text.error('"not" or an operator (eq, gt, …)', start)
        text.at += len(operator)
        quantifier: Literal["any", "all"] | None = None
        if operator in _QUANTIFIED:
            quantifier = "any" if text.take("(any)") else "all" if text.take("(all)") else None
        text.expect(".")
        return operator, negated, quantifier

    def condition(
        self,
        column: str,
        operator: str,
        negated: bool,
        quantifier: Literal["any", "all"] | None,
        text: Text,
        ends: str | None,
    ) -> Condition:
        """The value and with it the condition. ``ends``: what ends a value in a logic tree."""
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise too_much("conditions", MAX_CONDITIONS)
        if operator == "is":
            start = text.at
            test = (text.until(ends) if ends else text.remainder()).lower()
            if test not in _IS:
                raise text.error("null, not_null, true, false or unknown", start)
            return Condition(column, operator, negated, test=test)
        if operator == "in":
            text.expect("(")
            value: Value = text.elements(")")
            if not ends:
                text.end()
        elif quantifier:
            # in a logic tree the whole array may stand in quotes
            quoted = bool(ends) and text.peek('"')
            array = Text(text.what, text.quoted()) if quoted else text
            array.expect("{")
            value = array.elements("}")
            if quoted or not ends:
                array.end()
        elif not ends:
            value = text.remainder()
        else:
            value = text.quoted() if text.peek('"') else text.until(ends)
        return Condition(column, operator, negated, self.slot(value), quantifier)

    def logic(self, text: Text, operator: Literal["and", "or"], negated: bool, depth: int) -> Logic:
        if depth > MAX_DEPTH:
            raise too_much("levels of logic", MAX_DEPTH)
        text.expect("(")
        children: list[Condition | Logic] = [self.logic_part(text, depth)]
        while text.take(","):
            children.append(self.logic_part(text, depth))
        text.expect(")")
        return Logic(operator, negated, tuple(children))

    def logic_part(self, text: Text, depth: int) -> Condition | Logic:
        nested = re.compile(r"(not\.)?(and|or)(?=\()").match(text.text, text.at)
        if nested:
            text.at = nested.end()
            inner: Literal["and", "or"] = "and" if nested[2] == "and" else "or"
            return self.logic(text, inner, nested[1] is not None, depth + 1)
        column = text.name("a column, and or or")
        text.expect(".")
        operator, negated, quantifier = self.operator(text)
        return self.condition(column, operator, negated, quantifier, text, ",)")


def _path(name: str) -> list[str]:
    """``a.b."c.d"`` as its parts."""
    parts = re.findall(r'"((?:[^"\\]|\\.)*)"|([^".]+)', name)
    return [re.sub(r"\\(.)", r"\1", quoted) or plain for quoted, plain in parts] or [name]


def _names(text: Text) -> tuple[str, ...]:
    names = [text.name("a column")]
    while text.take(","):
        names.append(text.name("a column"))
        if len(names) > MAX_ITEMS:
            raise too_much("columns", MAX_ITEMS)
    return tuple(dict.fromkeys(names))


def _orders(text: Text) -> tuple[Order, ...]:
    orders = []
    while True:
        column, relation = text.name("a column"), None
        if text.take("("):
            relation, column = column, text.name("a column")
            text.expect(")")
        if text.take("->"):
            raise _not_here("JSON paths")
        descending = text.take(".desc")
        if not descending:
            text.take(".asc")
        nulls: Literal["first", "last"] | None = None
        if text.take(".nullsfirst"):
            nulls = "first"
        elif text.take(".nullslast"):
            nulls = "last"
        orders.append(Order(column, relation, descending, nulls))
        if len(orders) > MAX_ITEMS:
            raise too_much("order terms", MAX_ITEMS)
        if not text.take(","):
            return tuple(orders)


def _integer(what: str, value: str) -> str:
    if not re.fullmatch(r"[+-]?[0-9]{1,4000}", value):
        raise bad_syntax(what, value, 1, "a whole number")
    return value


def _aggregates() -> RestError:
    return RestError(400, "PGRST123", "Use of aggregate functions is not allowed")


def _not_here(what: str) -> RestError:
    return RestError(400, "PGRST127", "Feature not implemented", f"{what} cannot be used here")
