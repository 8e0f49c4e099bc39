"""list-users: a page of the users that a search and a filter find.

By index are the order of creation (without ``sortBy``), the beginning of an address, ids and whole
addresses; everything else reads the table.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from starlette.routing import BaseRoute

from ....errors import AuthError
from ....relation import ColumnType, Relation
from ....schema import User
from ....sql import Record, Statement
from ....statements import admin
from ....statements.admin import Match
from ... import answers, serializers
from ...context import RequestContext
from ...endpoint import get
from ...validation import MAX_TEXT, UNDEFINED, Check, fields, optional, string
from .permissions import permitted

_DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
"""Users of a page at most."""
MAX_TOTAL: Final = 100_000
"""Up to which users are counted."""
_MAX_IN: Final = 1000
_SHAPES: Final = 100
"""Statements that are kept."""
_GREATEST: Final = "\U0010ffff"
_TEXT_OPERATORS: Final = ("contains", "starts_with", "ends_with")
_FILTER_OPERATORS: Final = (
    "eq", "ne", "lt", "lte", "gt", "gte", "in", "not_in", *_TEXT_OPERATORS,
)  # fmt: skip


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_READERS: Final[Mapping[ColumnType, Callable[[str], Any]]] = MappingProxyType(
    {
        "text": str,
        "uuid": UUID,
        "boolean": lambda text: text == "true",
        "timestamptz": _moment,
        "date": date.fromisoformat,
        "integer": int,
        "bigint": int,
        "numeric": Decimal,
    }
)
"""From the text of a query to what the driver takes. Each raises ValueError."""


def _one_of(*words: str) -> Check:
    known = "|".join(f'"{word}"' for word in words)

    def find(path: str, value: Any) -> list[str]:
        if value is UNDEFINED or value in words:
            return []
        return [f"[{path}] Invalid option: expected one of {known}"]

    return Check(find, {"type": "string", "enum": list(words)}, required=False)


def _find_text_or_texts(path: str, value: Any) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    if len(texts) > _MAX_IN or any(len(text) > MAX_TEXT for text in texts):
        return [f"[{path}] Too big"]
    return []


_ANY: Final = Check(_find_text_or_texts, {"type": "string"})
_number: Final = Check(
    lambda path, value: [] if isinstance(value, str) else [f"[{path}] Invalid input"],
    {"type": "string"},
)
_QUERY: Final = fields(
    {
        "searchValue": optional(string),
        "searchField": _one_of("email", "name"),
        "searchOperator": _one_of(*_TEXT_OPERATORS),
        "limit": optional(_number),
        "offset": optional(_number),
        "sortBy": optional(string),
        "sortDirection": _one_of("asc", "desc"),
        "filterField": optional(string),
        "filterValue": optional(_ANY),
        "filterOperator": _one_of(*_FILTER_OPERATORS),
    }
)


class Search:
    """The columns that a query may name, by the names of their fields and by their own."""

    def __init__(self, relation: Relation) -> None:
        names = {column: column for column in _CORE.values()} | _CORE
        for field in relation.fields:
            if field.returned and not relation.columns[field.column].secret:
                names |= {field.column: field.column, field.name: field.column}
        self._columns = {name: relation.columns[column] for name, column in names.items()}

        @lru_cache(_SHAPES)
        def statements(
            matches: tuple[Match, ...], order: str, descending: bool
        ) -> tuple[Statement[User], Statement[Record]]:
            return admin.search(relation, matches, order, descending=descending)

        self._statements = statements

    @property
    def routes(self) -> list[BaseRoute]:
        return [
            get(
                "/admin/list-users",
                self.page,
                query=_QUERY,
                session="bare",
                errors={"YOU_ARE_NOT_ALLOWED_TO_LIST_USERS": 403},
            )
        ]

    @permitted("user", "list", "YOU_ARE_NOT_ALLOWED_TO_LIST_USERS")
    async def page(self, context: RequestContext) -> answers.Users:
        """List users that match, a page at a time.

        Without `sortBy` in the order in which they came. A page has 100 users, or up to 1,000 with
        `limit`; `total` counts up to 100,000.
        """
        query = context.query
        limit, offset = (_whole_number(query, name) for name in ("limit", "offset"))
        limit = None if limit is None else min(limit, MAX_LIMIT)
        matches: list[Match] = []
        values: dict[str, Any] = {}
        if query.get("searchValue"):
            field = query.get("searchField", "email")
            operator = query.get("searchOperator", "contains")
            self._add(matches, values, ("search", field, operator), query["searchValue"])
        if "filterValue" in query:
            field = query.get("filterField", "email")
            operator = query.get("filterOperator", "eq")
            self._add(matches, values, ("filter", field, operator), query["filterValue"])
        order = query.get("sortBy") or "createdAt"
        if order not in self._columns:
            raise _invalid("sortBy", "a field of a user")
        descending = query.get("sortDirection") == "desc"
        some, count = self._statements(tuple(matches), self._columns[order].name, descending)
        values |= {"limit": limit or _DEFAULT_LIMIT, "offset": offset or 0, "most": MAX_TOTAL}
        found = await context.database.fetch(some, *some.arguments(values))
        total = await context.database.fetchrow(count, *count.arguments(values))
        shown = context.services.user_fields.shown
        answer: answers.Users = {
            "users": [serializers.user(user, shown) for user in found],
            "total": total["total"] if total else 0,
        }
        if limit is not None:
            answer["limit"] = limit
        if offset is not None:
            answer["offset"] = offset
        return answer

    def _add(
        self,
        matches: list[Match],
        values: dict[str, Any],
        asked: tuple[str, str, str],
        given: str | list[str],
    ) -> None:
        """Add a condition, and its value. Raises AuthError 400 VALIDATION_ERROR."""
        what, field, operator = asked
        column = self._columns.get(field)
        if column is None or column.type not in _READERS:
            raise _invalid(f"{what}Field", "a field of a user that can be compared")
        several = operator in ("in", "not_in")
        if isinstance(given, list) and not several:
            raise _invalid(f"{what}Value", f"one value for {operator}")
        texts = given if isinstance(given, list) else [given]
        name, end = f"value_{len(matches)}", f"end_{len(matches)}"
        if operator in _TEXT_OPERATORS:
            if column.type != "text":
                raise _invalid(f"{what}Operator", f"an operator for the type of {field}")
            text = texts[0]
            if operator == "starts_with" and column.name == "email":  # in the order of bytes
                values |= {name: text, end: text + _GREATEST}
                matches.append((column.name, "text", "prefix"))
                return
            before, after = operator != "starts_with", operator != "ends_with"
            values[name] = "%" * before + _escaped(text) + "%" * after
            matches.append((column.name, "text", "like"))
            return
        try:
            read = [_READERS[column.type](text) for text in texts]
        except (ValueError, InvalidOperation):
            raise _invalid(f"{what}Value", column.type) from None
        values[name] = read if several else read[0]
        matches.append((column.name, column.type, operator))


_CORE: Final = {
    "id": "id",
    "name": "name",
    "email": "email",
    "emailVerified": "email_verified",
    "image": "image",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
}


def _escaped(text: str) -> str:
    """A text in a pattern of LIKE, whose wildcards stand for themselves."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _whole_number(query: Mapping[str, Any], name: str) -> int | None:
    """None for what is not given, and for 0 and what is no number, as Better Auth has it."""
    try:
        number = float(query.get(name, ""))
    except ValueError:
        return None
    if number == 0 or number != number:
        return None
    if number < 0 or not number.is_integer() or number >= 2**53:
        raise _invalid(name, "whole number")
    return int(number)


def _invalid(name: str, expected: str) -> AuthError:
    return AuthError(400, "VALIDATION_ERROR", f"[query.{name}] Invalid input: expected {expected}")
