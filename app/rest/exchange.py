"""The requests of one shape to a table and their answers: what reading and writing share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, Self

from app.database import Row
from app.http.answer import Answer, Header, whole
from app.rest import media, preferences
from app.rest.errors import RestError
from app.rest.media import Form
from app.rest.preferences import Preferences
from app.rest.tree import Request, Tree, Value
from app.schema import Relation
from app.settings import ServiceKey
from app.sql import Statement

PREFIX: Final = "/rest/v1"
_SCHEMA: Final = "public"


class Asking(NamedTuple):
    """The headers that an answer depends on, besides those of the key."""

    accept: str | None
    accept_profile: str | None
    content_profile: str | None
    content_type: str | None
    prefer: str | None
    range: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked by the method and the headers, by whom, and of which table."""

    key: ServiceKey
    relation: Relation
    method: str
    form: Form
    prefer: Preferences
    content_type: str | None
    range: str | None

    @classmethod
    def by(cls, key: ServiceKey, relation: Relation, method: str, asking: Asking) -> Self:
        """Raises RestError: 406 for a schema or a form that is not there, 400 for a preference."""
        reads = method in ("GET", "HEAD")
        _check_schema((asking.accept_profile if reads else asking.content_profile) or _SCHEMA)
        return cls(
            key,
            relation,
            method,
            media.negotiate(asking.accept),
            preferences.parse(asking.prefer or ""),
            asking.content_type,
            asking.range,
        )


@dataclass(slots=True)
class Step:
    """A statement to run, and what follows from its row: the answer, or another step.

    ``check`` and ``rollback`` as in Database.ask_row. ``then`` may raise RestError, when what is
    done stays done.
    """

    statement: Statement
    arguments: Sequence[Any]
    then: "Callable[[Row], Answer | Step]"
    check: Callable[[Row], None] | None = None
    rollback: bool = False


class Exchange:
    """All that follows from the shape of a request, and the answer to each that has it.

    Making one raises RestError when no request of the shape can be answered.
    """

    def __init__(self, max_rows: int, asked: Asked, parsed: Request) -> None:
        self.max_rows = max_rows
        self.asked = asked
        self.form = asked.form
        self.prefer = asked.prefer
        self.relation = asked.relation
        self.secrets = "secrets" in asked.key.scopes
        self.tree: Tree = parsed.tree
        self._headers: tuple[Header, ...] = ()
        if self.prefer.applied:
            self._headers = ((b"preference-applied", self.prefer.applied.encode()),)
        self._type = (b"content-type", self.form.content_type.encode())

    def begin(self, values: Sequence[Value], body: bytes) -> Answer | Step:
        """The way to the answer to one request; ``values`` are its query string's, in its order.

        Raises RestError.
        """
        raise NotImplementedError

    def reply(self, status: int, body: bytes | None, *headers: Header) -> Answer:
        """``body``: None for an answer that has none, and therefore no type."""
        if body is None:
            return whole(status, b"", *headers, *self._headers)
        length = (b"content-length", b"%d" % len(body))
        return status, [*headers, self._type, *self._headers, length], body

    def rendered(self, row: Row, labels: tuple[str, ...]) -> bytes:
        if self.form.type == media.CSV:
            return media.to_csv(labels, row["body"])
        # the array of one row, without its brackets
        return (row["body"][1:-1] if self.form.singular else row["body"]).encode()

    def check_singular(self, row: Row) -> None:
        if self.form.singular and row["count"] != 1:
            raise RestError(
                406,
                "PGRST116",
                "Cannot coerce the result to a single JSON object",
                f"The result contains {row['count']} rows",
            )


def _check_schema(schema: str) -> None:
    if schema != _SCHEMA:
        raise RestError(
            406,
            "PGRST106",
            f"Invalid schema: {schema:.100}",
            None,
            f"Only the following schemas are exposed: {_SCHEMA}",
        )


@lru_cache(maxsize=1000)
def content_range(offset: int, count: int, total: int | None) -> Header:
    """The header of ``count`` rows from ``offset`` on; of ``total``, None when it is not known."""
    rows = f"{offset}-{offset + count - 1}" if count else "*"
    return b"content-range", f"{rows}/{'*' if total is None else total}".encode()
