"""What a request says, apart from the values in its query string and body."""

from dataclasses import dataclass
from typing import Final, NamedTuple, Self

from starlette.types import Scope

from ..errors import RestError
from ..relation import Relation
from ..settings import ServiceKey
from . import media, parser, preferences
from .media import ResponseFormat
from .preferences import Preferences
from .query_tree import ParsedQuery, Value

_SCHEMA: Final = "public"


class RequestHeaders(NamedTuple):
    """The raw headers that a response depends on, besides those of the key."""

    accept: bytes | None
    accept_profile: bytes | None
    content_profile: bytes | None
    content_type: bytes | None
    prefer: bytes | None
    range: bytes | None

    @classmethod
    def from_scope(cls, scope: Scope) -> Self:
        headers = dict(reversed(scope["headers"]))
        if len(headers) < len(scope["headers"]):  # of several with one name the first counts,
            for name in _LISTS:  # but these are lists
                values = [value for other, value in scope["headers"] if other == name]
                if values:
                    headers[name] = b", ".join(values)
        return cls(*map(headers.get, _NAMES))

    @property
    def range_values(self) -> list[Value]:
        """The range, which is a value like those of the query string."""
        return [self.range.decode("latin-1")] if self.range else []


_NAMES: Final = tuple(name.replace("_", "-").encode() for name in RequestHeaders._fields)
_LISTS: Final = (b"accept", b"prefer")


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A parsed request; its body is read later."""

    key: ServiceKey
    relation: Relation
    method: str
    response_format: ResponseFormat
    preferences: Preferences
    content_type: str
    has_range: bool
    query: ParsedQuery

    @classmethod
    def parse(
        cls,
        key: ServiceKey,
        relation: Relation,
        method: str,
        headers: RequestHeaders,
        query_string: bytes,
    ) -> Self:
        """Raises RestError: 406 for an unknown schema or media type, 400 for what is malformed."""
        reads = method in ("GET", "HEAD")
        _check_schema(_text(headers.accept_profile if reads else headers.content_profile))
        return cls(
            key,
            relation,
            method,
            media.negotiate(_text(headers.accept)),
            preferences.parse(_text(headers.prefer)),
            _text(headers.content_type),
            bool(headers.range),
            parser.parse(query_string),
        )


def _check_schema(schema: str) -> None:
    if schema not in ("", _SCHEMA):
        raise RestError(
            406,
            "PGRST106",
            f"Invalid schema: {schema:.100}",
            None,
            f"Only the following schemas are exposed: {_SCHEMA}",
        )


def _text(header: bytes | None) -> str:
    return header.decode("latin-1") if header else ""
