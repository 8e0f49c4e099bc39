"""Plans: what follows from the shape of a request, and answers each request that has it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from starlette.responses import Response

from ..database import Database
from ..relation import Relation
from ..settings import KeyScope
from ..sql import Record
from . import media
from .errors import not_singular
from .queries import Target
from .query_tree import Value
from .request import ApiRequest

PREFIX: Final = "/rest/v1"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request may cost."""

    max_rows: int
    """Rows of a page, and of each relation embedded in a row."""
    query_timeout: float
    """Seconds for a statement."""


class Plan:
    """The statements for requests of one shape, and the form of their responses.

    Making one raises RestError when no request of the shape can be answered.
    """

    reads_body = False
    scopes: ClassVar[tuple[KeyScope, ...]]
    """What a key needs for any request of the method."""

    def __init__(
        self, request: ApiRequest, relations: Mapping[str, Relation], limits: Limits
    ) -> None:
        self.relation = request.relation
        self.tree = request.query.tree
        self.preferences = request.preferences
        self.format = request.response_format
        self.limits = limits
        self.secrets = "secrets" in request.key.scopes
        self.target = Target(relations, self.relation, self.tree, self.secrets)
        applied = self.preferences.applied
        self._headers = {"preference-applied": applied} if applied else {}
        self._body_headers = {"content-type": self.format.content_type, **self._headers}

    async def execute(
        self, database: Database, values: Sequence[Value], body: bytes, request_id: str | None
    ) -> Response:
        """Answer a request; ``values`` are those of its query string, in its order.

        Raises RestError and DatabaseError.
        """
        raise NotImplementedError

    def response(
        self, status: int, body: bytes | None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """``body``: None for a response that has none, and therefore no type."""
        own = self._headers if body is None else self._body_headers
        return Response(body, status, {**headers, **own} if headers else own)

    def rendered(self, row: Record, labels: tuple[str, ...]) -> bytes:
        """The rows, which a statement gave as JSON, in the form of the response."""
        if self.format.type == media.CSV:
            return media.to_csv(labels, row["body"])
        # an array of one row, without its brackets
        return (row["body"][1:-1] if self.format.singular else row["body"]).encode()

    def check_singular(self, count: int) -> None:
        """Raises RestError 406 when one object was asked for and there is not exactly one."""
        if self.format.singular and count != 1:
            raise not_singular(count)


def content_range(offset: int, count: int, total: int | None) -> dict[str, str]:
    """The header for ``count`` rows from ``offset`` on; ``total`` is None when it is not known."""
    rows = f"{offset}-{offset + count - 1}" if count else "*"
    return {"content-range": f"{rows}/{'*' if total is None else total}"}


def only_row(row: Record | None) -> Record:
    """The row of a statement that always gives one."""
    if row is None:
        raise LookupError("the statement gave no row")
    return row
