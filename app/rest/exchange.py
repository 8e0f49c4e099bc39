"""One request to a table and its answer: what reading and writing share."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from app.database import Database, Row
from app.rest import grammar, media, preferences
from app.rest.errors import RestError
from app.rest.media import Answer
from app.rest.tree import Tree, Value
from app.schema import Relation
from app.settings import ServiceKey

PREFIX: Final = "/rest/v1"
_SCHEMA: Final = "public"


class Exchange:
    """One request and its answer."""

    def __init__(
        self,
        database: Database,
        max_rows: int,
        request: Request,
        key: ServiceKey,
        relation: Relation,
    ) -> None:
        self.database = database
        self.max_rows = max_rows
        self.request = request
        self.key = key
        self.relation = relation
        self.secrets = "secrets" in key.scopes
        _check_schema(request)
        self.form = media.negotiate(", ".join(request.headers.getlist("accept")))
        self.prefer = preferences.parse(request.headers.getlist("prefer"))
        parsed = grammar.parse(request.scope["query_string"])
        self.tree: Tree = parsed.tree
        self.values: list[Value] = parsed.values

    async def answer(self) -> Response:
        raise NotImplementedError

    def response(
        self, status: int, body: bytes, headers: dict[str, str], *, form: Answer | None = None
    ) -> Response:
        if form is not None:
            headers["content-type"] = form.content_type
        if self.prefer.applied:
            headers["preference-applied"] = self.prefer.applied
        return Response(body, status, headers)

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


def _check_schema(request: Request) -> None:
    reads = request.method in ("GET", "HEAD")
    schema = request.headers.get("accept-profile" if reads else "content-profile", _SCHEMA)
    if schema != _SCHEMA:
        raise RestError(
            406,
            "PGRST106",
            f"Invalid schema: {schema:.100}",
            None,
            f"Only the following schemas are exposed: {_SCHEMA}",
        )


def or_star(number: int | None) -> str:
    return "*" if number is None else str(number)


def content_range(offset: int, count: int, total: Any) -> str:
    rows = f"{offset}-{offset + count - 1}" if count else "*"
    return f"{rows}/{or_star(total if isinstance(total, int) else None)}"
