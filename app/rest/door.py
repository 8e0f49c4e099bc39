"""The REST door: PostgREST's protocol over the tables of app/schema.py.

One request is one statement: the query string becomes a tree, the tree a statement (kept by its
shape), and the server gives the rows as the JSON that is sent.
"""

import re
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.database import (
    Database,
    DatabaseError,
    DatabaseUnavailableError,
    PoolExhaustedError,
    QueryTimeoutError,
    Row,
)
from app.http.errors import RETRY_AFTER, error_response
from app.rest import build, grammar, media, openapi, preferences
from app.rest.errors import RestError, bad_body, from_database
from app.rest.grammar import Condition, Tree, Value
from app.rest.keys import Keys, require
from app.rest.media import Answer
from app.rest.values import from_json
from app.schema import RELATIONS, SECRETS, Relation
from app.settings import ServiceKey, Settings
from app.sql import explained

PREFIX: Final = "/rest/v1"
_METHODS: Final = "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"
_SCHEMA: Final = "public"
_RANGE: Final = re.compile(r"([0-9]{1,18})-([0-9]{0,18})", re.ASCII)


class RestDoor:
    """Answers ``/rest/v1/`` and ``/rest/v1/{relation}``."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._max_rows = settings.max_rows
        self._keys = Keys(settings.service_keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # an ASGI application and not an endpoint: the router would answer other methods itself
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        hidden: frozenset[str] = SECRETS
        try:
            key = self._keys.caller(request.headers)
            request.state.key_name = key.name
            if "secrets" in key.scopes:
                hidden = frozenset()
            # not the router's parameter: its pattern lets a line feed at the end go by
            name = request.scope["path"].removeprefix(PREFIX).removeprefix("/")
            if not name:
                return await self._root(request, key)
            return await self._relation(request, key, _relation(name))
        except RestError as error:
            return _refusal(error)
        except DatabaseError as error:
            return _refusal(from_database(error, hidden=hidden))
        except QueryTimeoutError as error:
            return error_response(504, "57014", "The query took too long", str(error))
        except PoolExhaustedError as error:
            return error_response(
                504, "PGRST003", "Timed out acquiring connection from connection pool.", str(error)
            )
        except DatabaseUnavailableError:
            return error_response(
                503, "PGRST000", "Database connection error. Retry later.", headers=RETRY_AFTER
            )

    async def _root(self, request: Request, key: ServiceKey) -> Response:
        if request.method not in ("GET", "HEAD"):
            raise _no_method(request.method)
        answer = media.negotiate(request.headers.get("accept"), root=True)
        require(key, "read", "pg_catalog")
        body = await openapi.describe(self._database, PREFIX)
        return Response(body, headers={"content-type": answer.content_type})

    async def _relation(self, request: Request, key: ServiceKey, relation: Relation) -> Response:
        match request.method:
            case "OPTIONS":
                return Response(status_code=200, headers={"allow": _METHODS})
            case "GET" | "HEAD":
                exchange: _Exchange = _Read(self, request, key, relation)
            case "POST":
                exchange = _Insert(self, request, key, relation)
            case "PUT":
                exchange = _Put(self, request, key, relation)
            case "PATCH":
                exchange = _Update(self, request, key, relation)
            case "DELETE":
                exchange = _Delete(self, request, key, relation)
            case method:
                raise _no_method(method)
        return await exchange.answer()


class _Exchange:
    """One request and its answer."""

    def __init__(
        self, door: RestDoor, request: Request, key: ServiceKey, relation: Relation
    ) -> None:
        self.database = door._database
        self.max_rows = door._max_rows
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


class _Read(_Exchange):
    async def answer(self) -> Response:
        require(self.key, "read", self.relation.name)
        self.cut_to_range()
        head = self.request.method == "HEAD"
        count = await self.count_mode()
        output = build.Output(
            body=not head,
            total=count == "exact",
            stripped=self.form.stripped,
            text=self.form.type == media.CSV,
        )
        plan = build.read(self.relation, self.tree, output, secrets=self.secrets)
        arguments = plan.arguments(self.values, self.max_rows)
        row = await self.database.fetch_row(plan.statement, *arguments)
        self.check_singular(row)
        total = row["total"] if count == "exact" else count
        offset = self.offset()
        status = 200
        if isinstance(total, int):
            if offset > total:
                raise RestError(
                    416,
                    "PGRST103",
                    "Requested range not satisfiable",
                    f"An offset of {offset} was requested, but there are only {total} rows.",
                )
            status = 206 if row["count"] < total else 200
        headers = {"content-range": _content_range(offset, row["count"], total)}
        body = b"" if head else self.rendered(row, plan.labels)
        # preferences for writing have no effect here, and are not said to have had one
        self.prefer = replace(self.prefer, returns=None, resolution=None, missing=None)
        return self.response(status, body, headers, form=self.form)

    async def count_mode(self) -> str | int | None:
        """``exact``, or the planner's estimate, or None when no count is asked for."""
        if self.prefer.count not in ("planned", "estimated"):
            return self.prefer.count
        plan = build.counted(self.relation, self.tree, secrets=self.secrets)
        arguments = plan.arguments(self.values, self.max_rows)
        rows = await self.database.fetch(explained(plan.statement), *arguments)
        estimate = int(msgspec.json.decode(rows[0]["QUERY PLAN"])[0]["Plan"]["Plan Rows"])
        if self.prefer.count == "estimated" and estimate <= self.max_rows:
            return "exact"
        return estimate

    def offset(self) -> int:
        at = self.tree.level(()).offset
        return int(str(self.values[at])) if at >= 0 else 0

    def cut_to_range(self) -> None:
        """Narrow limit and offset to the Range header (PostgREST: ``Range: 0-24``)."""
        match = _RANGE.fullmatch(self.request.headers.get("range", ""))
        if match is None:
            return
        lower, upper = int(match[1]), int(match[2]) if match[2] else None
        if upper is not None and lower > upper:
            raise RestError(
                416,
                "PGRST103",
                "Requested range not satisfiable",
                "The lower boundary must be lower than or equal to the upper boundary "
                "in the Range header.",
            )
        level = self.tree.level(())
        first = max(lower, self.offset())
        ends = [upper] if upper is not None else []
        if level.limit >= 0:
            ends.append(self.offset() + int(str(self.values[level.limit])) - 1)
        at = len(self.values)
        self.values += [str(first), str(max(0, min(ends) - first + 1)) if ends else "0"]
        level = replace(level, offset=at, limit=at + 1 if ends else -1)
        others = tuple((path, other) for path, other in self.tree.levels if path)
        self.tree = replace(self.tree, levels=(((), level), *others))


class _Write(_Exchange):
    """What the writing methods share: the body's rows, and the end of the exchange."""

    async def payload(self) -> tuple[media.Payload, tuple[str, ...]]:
        """The rows of the body and the columns they are to set."""
        payload = media.decode(
            self.request.headers.get("content-type"),
            await self.request.body(),
            columns=self.tree.columns is not None,
        )
        columns = self.tree.columns
        if columns is None:
            columns = tuple(payload.rows[0]) if payload.rows else ()
        build.check_written(self.relation, columns, secrets=self.secrets)
        return payload, columns

    @property
    def output(self) -> build.Output:
        body = self.prefer.returns == "representation"
        text = self.form.type == media.CSV
        return build.Output(body=body, stripped=self.form.stripped, text=text)

    async def run(self, plan: build.Plan, values: dict[str, Any], *, limited: bool = False) -> Row:
        """Run a writing statement; ``limited``: max-affected counts for it."""
        strict = self.prefer.handling == "strict" and limited
        limit = self.prefer.max_affected if strict else None

        def check(row: Row) -> None:
            self.check_singular(row)
            if limit is not None and row["count"] > limit:
                raise RestError(
                    400,
                    "PGRST124",
                    "Query result exceeds max-affected preference constraint",
                    f"The query affects {row['count']} rows",
                )

        return await self.database.fetch_row(
            plan.statement,
            *plan.arguments(self.values, self.max_rows, values),
            check=check if self.form.singular or limit is not None else None,
            rollback=self.prefer.tx == "rollback",
        )

    def finished(
        self, status: int, row: Row | None, labels: tuple[str, ...], headers: dict[str, str]
    ) -> Response:
        if self.prefer.returns != "representation":
            return self.response(status, b"", headers)
        if row is None:
            if self.form.singular:
                raise RestError(
                    406,
                    "PGRST116",
                    "Cannot coerce the result to a single JSON object",
                    "The result contains 0 rows",
                )
            body = media.to_csv(labels, "[]") if self.form.type == media.CSV else b"[]"
        else:
            body = self.rendered(row, labels)
        return self.response(status, body, headers, form=self.form)

    def total(self, count: int) -> int | None:
        return count if self.prefer.count == "exact" else None


class _Insert(_Write):
    async def answer(self) -> Response:
        require(self.key, "write", self.relation.name)
        payload, columns = await self.payload()
        merge = self.prefer.resolution == "merge-duplicates"
        conflict = None
        if self.prefer.resolution is not None:
            conflict = self.tree.on_conflict or ("id",)
        if self.prefer.returns == "representation" or conflict:
            require(self.key, "read", self.relation.name)
        if not payload.rows:
            return self.finished(201, None, (), {"content-range": _content_range(0, 0, None)})
        plan, row = await self.insert(payload, columns, conflict, merge)
        status = 200 if merge and not row["inserted"] else 201
        headers = {"content-range": f"*/{_or_star(self.total(row['count']))}"}
        if self.prefer.returns == "headers-only" and row["count"] == 1:
            headers["location"] = f"{PREFIX}/{self.relation.name}?id=eq.{quote(row['id'])}"
        return self.finished(status, row, plan.labels, headers)

    async def insert(
        self,
        payload: media.Payload,
        columns: tuple[str, ...],
        conflict: tuple[str, ...] | None,
        merge: bool,
    ) -> tuple[build.Plan, Row]:
        relation, rows = self.relation, payload.rows
        fill = self.prefer.missing == "default"
        defaulted = tuple(
            name
            for name in columns
            if fill and relation.columns[name].default and any(name not in row for row in rows)
        )
        made = tuple(name for name in relation.made if name not in columns)
        values: dict[str, Any] = {}
        for name in columns:
            type_ = relation.columns[name].type
            make = relation.made.get(name) if fill else None
            values[f"c_{name}"] = [
                make() if make and name not in row else from_json(type_, row.get(name))
                for row in rows
            ]
            if name in defaulted:
                values[f"d_{name}"] = [name not in row for row in rows]
        for name in made:
            values[f"c_{name}"] = [relation.made[name]() for _ in rows]
        if not columns and not made:
            # a row of nothing but defaults; one column has to be named
            made, values = ("id",), {"c_id": [uuid4() for _ in rows]}
        plan = build.insert(
            relation,
            self.tree,
            build.Insert(columns + made, defaulted, conflict, columns if merge else None),
            self.output,
            secrets=self.secrets,
        )
        return plan, await self.run(plan, values)


class _Put(_Insert):
    """The upsert of one row, named by its primary key."""

    async def answer(self) -> Response:
        require(self.key, "write", self.relation.name)
        require(self.key, "read", self.relation.name)
        level = self.tree.level(())
        if level.limit >= 0 or level.offset >= 0 or "range" in self.request.headers:
            raise RestError(
                400, "PGRST114", "limit/offset querystring parameters are not allowed for PUT"
            )
        match level.conditions:
            case (Condition("id", "eq", False, slot, None),):
                identity = from_json("uuid", self.values[slot])
            case _:
                raise RestError(
                    405,
                    "PGRST105",
                    "Filters must include all and only primary key columns with 'eq' operators",
                )
        payload, columns = await self.payload()
        ids = [from_json("uuid", row.get("id")) for row in payload.rows]
        if ids != [identity]:
            raise RestError(
                400, "PGRST115", "Payload values do not match URL in primary key column(s)"
            )
        self.tree = replace(self.tree, levels=())
        plan, row = await self.insert(payload, columns, ("id",), True)
        status = 200 if self.prefer.returns == "representation" else 204
        return self.finished(201 if row["inserted"] else status, row, plan.labels, {})


class _Update(_Write):
    async def answer(self) -> Response:
        require(self.key, "write", self.relation.name)
        require(self.key, "read", self.relation.name)
        payload, columns = await self.payload()
        if len(payload.rows) != 1:
            raise bad_body("PATCH takes one JSON object")
        status = 200 if self.prefer.returns == "representation" else 204
        if not columns:
            return self.finished(status, None, (), {"content-range": "*/*"})
        values = {
            f"c_{name}": from_json(self.relation.columns[name].type, payload.rows[0].get(name))
            for name in columns
        }
        plan = build.update(self.relation, self.tree, columns, self.output, secrets=self.secrets)
        row = await self.run(plan, values, limited=True)
        count = row["count"]
        headers = {"content-range": _content_range(0, count, self.total(count))}
        return self.finished(status, row, plan.labels, headers)


class _Delete(_Write):
    async def answer(self) -> Response:
        require(self.key, "write", self.relation.name)
        require(self.key, "read", self.relation.name)
        plan = build.delete(self.relation, self.tree, self.output, secrets=self.secrets)
        row = await self.run(plan, {}, limited=True)
        status = 200 if self.prefer.returns == "representation" else 204
        headers = {"content-range": f"*/{_or_star(self.total(row['count']))}"}
        return self.finished(status, row, plan.labels, headers)


def _relation(name: str) -> Relation:
    relation = RELATIONS.get(name)
    if relation is None:
        if name.startswith("rpc/"):
            raise RestError(
                404,
                "PGRST202",
                f"Could not find the function public.{name[4:]:.100} in the schema cache",
            )
        if "/" in name:
            raise RestError(404, "PGRST125", "Invalid path specified in request URL")
        near = next((known for known in RELATIONS if known.startswith(name[:3].lower())), None)
        raise RestError(
            404,
            "PGRST205",
            f"Could not find the table 'public.{name:.100}' in the schema cache",
            None,
            f"Perhaps you meant the table 'public.{near}'" if near else None,
        )
    return relation


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


def _no_method(method: str) -> RestError:
    return RestError(405, "PGRST117", f"Unsupported HTTP method: {method:.32}")


def _refusal(error: RestError) -> Response:
    # the answer to a HEAD has no body: here its client finds the code
    headers = {"proxy-status": f"PostgREST; error={error.code}"}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    if error.code == "PGRST117":
        headers["allow"] = _METHODS
    return error_response(
        error.status, error.code, error.message, error.details, error.hint, headers
    )


def _or_star(number: int | None) -> str:
    return "*" if number is None else str(number)


def _content_range(offset: int, count: int, total: Any) -> str:
    rows = f"{offset}-{offset + count - 1}" if count else "*"
    return f"{rows}/{_or_star(total if isinstance(total, int) else None)}"
