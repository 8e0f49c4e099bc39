"""Parses a query string to a tree and its values.

Source: PostgREST 14, "Tables and Views", "Resource Embedding", "URL Grammar".
"""

import re
from typing import Final, Literal
from urllib.parse import unquote_to_bytes

from ..errors import RestError
from .errors import bad_syntax, not_implemented, too_much
from .levels import OpenLevel, labelled
from .query_tree import (
    ColumnItem,
    Condition,
    CountItem,
    EmbedItem,
    Logic,
    Order,
    ParsedQuery,
    QueryTree,
    SelectItem,
    Value,
    ValueIndex,
)
from .scanner import Scanner

MAX_QUERY: Final = 32 * 1024
MAX_DEPTH: Final = 10
MAX_CONDITIONS: Final = 200
MAX_EMBEDS: Final = 20
MAX_ITEMS: Final = 200

OPERATORS: Final = frozenset(
    ("eq", "neq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch", "in", "is")
) | {"isdistinct"}
_QUANTIFIED: Final = frozenset(("eq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch"))
_NOT_IMPLEMENTED: Final = frozenset(
    ("fts", "plfts", "phfts", "wfts", "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj")
)
_IS: Final = frozenset(("null", "not_null", "true", "false", "unknown"))
_AGGREGATES: Final = frozenset(("avg", "count", "max", "min", "sum"))
_ONCE: Final = frozenset(("select", "columns", "on_conflict"))

_WORD: Final = re.compile(r"[a-z]+")
_CAST: Final = re.compile(r"[A-Za-z_][\w ]*", re.ASCII)
_AGGREGATE_CALL: Final = re.compile(rf"\.({'|'.join(_AGGREGATES)})\(\)")
_NESTED_LOGIC: Final = re.compile(r"(not\.)?(and|or)(?=[ \t]*+\()")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,4000}")
_PATH_PART: Final = re.compile(r'"((?:[^"\\]++|\\.)*+)"|([^".]+)|(")')
_ALIAS_BYTES: Final = 63

Quantifier = Literal["any", "all"] | None


def parse(query: bytes) -> ParsedQuery:
    """Parse a raw query string. Raises RestError: PGRST100 with the position, or 414."""
    if len(query) > MAX_QUERY:
        raise RestError(414, "PGRST100", f"The query string is longer than {MAX_QUERY} bytes")
    pairs = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((decode(name), decode(value)))
    return _Parser().parse(pairs)


def decode(raw: bytes) -> str:
    """A raw part of a query string as text. Raises RestError 22021 for bytes that are no text."""
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
        self.levels: dict[tuple[str, ...], OpenLevel] = {}
        self.conditions = 0
        self.embeds = 0

    def parse(self, pairs: list[tuple[str, str]]) -> ParsedQuery:
        given: set[str] = set()
        select: tuple[SelectItem, ...] = (ColumnItem("*"),)
        columns = on_conflict = None
        for name, value in pairs:
            *path, last = _path(name)
            if name in given and (name in _ONCE or last in ("order", "limit", "offset")):
                raise RestError(400, "PGRST100", f'"{name}" is given twice')
            given.add(name)
            if name == "select":
                select = Scanner("select parameter", value).parse_all(self.items)
            elif name == "columns":
                columns = Scanner("columns parameter", value).parse_all(_names)
            elif name == "on_conflict":
                on_conflict = Scanner("on_conflict parameter", value).parse_all(_names)
            else:
                self.level_parameter(tuple(path), last, value)
        levels = tuple(
            (path, level.done()) for path, level in sorted(labelled(self.levels, select))
        )
        return ParsedQuery(QueryTree(select, levels, columns, on_conflict), self.values)

    def level_parameter(self, path: tuple[str, ...], last: str, value: str) -> None:
        negated = last in ("and", "or") and path[-1:] == ("not",)
        if len(path) > MAX_DEPTH:
            raise too_much("levels of embedding", MAX_DEPTH)
        level = self.levels.setdefault(path[:-1] if negated else path, OpenLevel())
        match last:
            case "and" | "or":
                scanner = Scanner("logic tree", value)
                level.conditions.append(self.logic(scanner, last, negated))
                scanner.expect_end()
            case "order":
                level.order = Scanner("order", value).parse_all(_orders)
            case "limit":
                level.limit = self.add_value(_integer("limit", value))
            case "offset":
                level.offset = self.add_value(_integer("offset", value))
            case column:
                level.conditions.append(self.filter(column, value))

    def add_value(self, value: Value) -> ValueIndex:
        self.values.append(value)
        return len(self.values) - 1

    # select

    def items(self, scanner: Scanner, depth: int = 1) -> tuple[SelectItem, ...]:
        if depth > MAX_DEPTH:
            raise too_much("levels of embedding", MAX_DEPTH)
        found: list[SelectItem] = []
        if scanner.at_end or scanner.peek(")"):
            return ()
        while True:
            found.append(self.item(scanner, depth))
            if len(found) > MAX_ITEMS:
                raise too_much("selected columns", MAX_ITEMS)
            if not scanner.take_spaced(","):
                return tuple(found)

    def item(self, scanner: Scanner, depth: int) -> SelectItem:
        if scanner.take("*"):
            return ColumnItem("*")
        spread = scanner.take("...")
        name, alias = scanner.name("a column or a relation"), None
        if scanner.peek(":") and not scanner.peek("::"):
            scanner.take(":")
            alias, name = name, scanner.name("a column or a relation")
            if alias.endswith("."):  # reserved for names of the statement itself
                raise scanner.error("an alias that does not end in a dot")
            if len(alias.encode()) > _ALIAS_BYTES:
                raise too_much("bytes in an alias", _ALIAS_BYTES)
        hints = []
        while scanner.take("!"):
            hints.append(scanner.name("a foreign key, inner or left"))
        if name in _AGGREGATES and scanner.peek("()") and not hints and not spread:
            scanner.take("()")
            return _aggregate(scanner, name, None, alias)
        if scanner.peek("("):
            return self.embed(scanner, name, alias, hints, spread, depth)
        if spread or hints:
            raise scanner.error('"("')
        if scanner.take("->"):
            raise not_implemented("JSON paths")
        cast = _cast(scanner)
        if scanner.peek("."):
            call = scanner.match(_AGGREGATE_CALL)
            if call is None:
                raise scanner.error('"," or the end')
            if cast is not None:
                raise not_implemented("A cast in an aggregate function")
            return _aggregate(scanner, call[1], name, alias)
        return ColumnItem(name, alias, cast)

    def embed(
        self,
        scanner: Scanner,
        name: str,
        alias: str | None,
        hints: list[str],
        spread: bool,
        depth: int,
    ) -> EmbedItem:
        scanner.expect("(")
        self.embeds += 1
        if self.embeds > MAX_EMBEDS:
            raise too_much("embedded relations", MAX_EMBEDS)
        items = self.items(scanner, depth + 1)
        scanner.expect(")")
        keys = [hint for hint in hints if hint not in ("inner", "left")]
        if len(keys) > 1:
            raise scanner.error("one foreign key")
        join = "inner" if "inner" in hints else "left"
        return EmbedItem(name, alias, keys[0] if keys else None, join, spread, items)

    # filters

    def filter(self, column: str, value: str) -> Condition:
        scanner = Scanner("filter", value)
        operator, negated, quantifier = _operator(scanner)
        return self.condition(column, operator, negated, quantifier, scanner, None)

    def condition(
        self,
        column: str,
        operator: str,
        negated: bool,
        quantifier: Quantifier,
        scanner: Scanner,
        ends: str | None,
    ) -> Condition:
        """Read the value. In a logic tree one of the characters in ``ends`` ends it."""
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise too_much("conditions", MAX_CONDITIONS)
        if operator == "is":
            start = scanner.position
            test = (scanner.until(ends) if ends else scanner.remainder()).lower()
            if test not in _IS:
                raise scanner.error("null, not_null, true, false or unknown", start)
            return Condition(column, operator, negated, test=test)
        if operator == "in":
            scanner.expect_spaced("(")
            value: Value = scanner.elements(")")
            scanner.skip_blanks()
            if not ends:
                scanner.expect_end()
        elif quantifier:
            # in a logic tree the whole array may stand in quotes
            quoted = bool(ends) and scanner.peek('"')
            array = Scanner(scanner.what, scanner.quoted()) if quoted else scanner
            array.expect("{")
            value = array.elements("}")
            if quoted or not ends:
                array.expect_end()
        elif not ends:
            value = scanner.remainder()
        else:
            value = scanner.value(ends)
        return Condition(column, operator, negated, self.add_value(value), quantifier)

    def logic(
        self, scanner: Scanner, operator: Literal["and", "or"], negated: bool, depth: int = 1
    ) -> Logic:
        if depth > MAX_DEPTH:
            raise too_much("levels of logic", MAX_DEPTH)
        scanner.expect_spaced("(")
        children: list[Condition | Logic] = [self.logic_part(scanner, depth)]
        while scanner.take_spaced(","):
            children.append(self.logic_part(scanner, depth))
        scanner.expect_spaced(")")
        return Logic(operator, negated, tuple(children))

    def logic_part(self, scanner: Scanner, depth: int) -> Condition | Logic:
        nested = scanner.match(_NESTED_LOGIC)
        if nested:
            inner = "and" if nested[2] == "and" else "or"
            return self.logic(scanner, inner, nested[1] is not None, depth + 1)
        column = scanner.name("a column, and or or")
        if scanner.peek("->"):
            raise not_implemented("JSON paths")
        scanner.expect(".")
        operator, negated, quantifier = _operator(scanner)
        return self.condition(column, operator, negated, quantifier, scanner, ",)")


def _operator(scanner: Scanner) -> tuple[str, bool, Quantifier]:
    """An operator, whether it is negated, and its quantifier."""
    negated = scanner.take("not.")
    start = scanner.position
    word = scanner.match(_WORD)
    operator = word[0] if word else ""
    if operator in _NOT_IMPLEMENTED:
        raise not_implemented(f'The operator "{operator}"')
    if operator not in OPERATORS:
        raise scanner.error('"not" or an operator (eq, gt, …)', start)
    quantifier: Quantifier = None
    if operator in _QUANTIFIED:
        quantifier = "any" if scanner.take("(any)") else "all" if scanner.take("(all)") else None
    scanner.expect(".")
    return operator, negated, quantifier


def _path(name: str) -> list[str]:
    """``a.b."c.d"`` as its parts."""
    parts = []
    for part in _PATH_PART.finditer(name):
        if part[3]:  # the search for its end would be repeated from every quote that follows
            raise bad_syntax("name", name, part.start() + 1, "a closing quote")
        if part[2] and "->" in part[2]:
            raise not_implemented("JSON paths")
        parts.append(part[2] or re.sub(r"\\(.)", r"\1", part[1]))
    return parts or [name]


def _names(scanner: Scanner) -> tuple[str, ...]:
    names = [scanner.name("a column")]
    while scanner.take_spaced(","):
        names.append(scanner.name("a column"))
        if len(names) > MAX_ITEMS:
            raise too_much("columns", MAX_ITEMS)
    return tuple(dict.fromkeys(names))


def _orders(scanner: Scanner) -> tuple[Order, ...]:
    orders = []
    while True:
        column, relation = scanner.name("a column"), None
        if scanner.take("("):
            relation, column = column, scanner.name("a column")
        if scanner.peek("->"):
            raise not_implemented("JSON paths")
        if relation is not None:
            scanner.expect(")")
        descending = scanner.take(".desc")
        if not descending:
            scanner.take(".asc")
        nulls: Literal["first", "last"] | None = None
        if scanner.take(".nullsfirst"):
            nulls = "first"
        elif scanner.take(".nullslast"):
            nulls = "last"
        orders.append(Order(column, relation, descending, nulls))
        if len(orders) > MAX_ITEMS:
            raise too_much("order terms", MAX_ITEMS)
        if not scanner.take_spaced(","):
            return tuple(orders)


def _integer(what: str, value: str) -> str:
    if not _INTEGER.fullmatch(value):
        raise bad_syntax(what, value, 1, "a whole number")
    return value


def _aggregate(scanner: Scanner, function: str, column: str | None, alias: str | None) -> CountItem:
    if function != "count":
        raise RestError(
            400,
            "PGRST123",
            "Use of aggregate functions is not allowed",
            "Only count() can be used.",
        )
    return CountItem(column, alias, _cast(scanner))


def _cast(scanner: Scanner) -> str | None:
    if not scanner.take("::"):
        return None
    match = scanner.match(_CAST)
    if match is None:
        raise scanner.error("a type")
    return match[0].strip()
