"""POST, PUT, PATCH and DELETE."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote
from uuid import uuid4

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from app.database import Database, Row
from app.http.answer import Answer, Header
from app.rest import build, media
from app.rest.errors import RestError, bad_body
from app.rest.exchange import PREFIX, Asked, Exchange, content_range
from app.rest.keys import require
from app.rest.plan import Output, Plan
from app.rest.tree import Condition, Request, Value
from app.rest.values import from_json
from app.settings import Scope


class _Write(Exchange):
    """What the writing methods share: the body's rows, and the end of the exchange."""

    scopes: ClassVar[tuple[Scope, ...]] = ("write", "read")

    def __init__(self, database: Database, max_rows: int, asked: Asked, parsed: Request) -> None:
        for scope in self.scopes:
            require(asked.key, scope, asked.relation.name)
        super().__init__(database, max_rows, asked, parsed)
        self.full = self.prefer.returns == "representation"
        self.output = Output(
            body=self.full, stripped=self.form.stripped, text=self.form.type == media.CSV
        )
        # of the request before: the columns that passed check_written, and the plan for its parts
        self._checked: tuple[str, ...] | None = None
        self._parts: object = None
        self._plan: Plan | None = None

    async def payload(self, receive: Receive) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        """The rows of the body and the columns they are to set."""
        columns = self.tree.columns
        body = await _body(receive)
        rows = media.decode(self.asked.content_type, body, columns=columns is not None)
        if columns is None:
            columns = tuple(rows[0]) if rows else ()
        if columns != self._checked:
            build.check_written(self.relation, columns, secrets=self.secrets)
            self._checked = columns
        return rows, columns

    def plan(self, parts: tuple[Any, ...], make: Callable[[], Plan]) -> Plan:
        """The plan for what the body names: mostly the plan of the request before."""
        if self._plan is None or self._parts != parts:
            self._plan = make()
            self._parts = parts
        return self._plan

    async def run(
        self,
        plan: Plan,
        values: Sequence[Value],
        written: dict[str, Any],
        *,
        limited: bool = False,
    ) -> Row:
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
            *plan.arguments(values, self.max_rows, written),
            check=check if self.form.singular or limit is not None else None,
            rollback=self.prefer.tx == "rollback",
        )

    def finished(
        self, status: int, row: Row | None, labels: tuple[str, ...], *headers: Header
    ) -> Answer:
        if not self.full:
            return self.reply(status, None, *headers)
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
        return self.reply(status, body, *headers)

    def total(self, count: int) -> int | None:
        return count if self.prefer.count == "exact" else None


class Insert(_Write):
    scopes = ("write",)

    def __init__(self, database: Database, max_rows: int, asked: Asked, parsed: Request) -> None:
        super().__init__(database, max_rows, asked, parsed)
        self.merge = self.prefer.resolution == "merge-duplicates"
        self.conflict: tuple[str, ...] | None = None
        if self.prefer.resolution is not None:
            self.conflict = self.tree.on_conflict or ("id",)
        if self.full or self.conflict:
            require(asked.key, "read", self.relation.name)

    async def answer(self, values: Sequence[Value], receive: Receive) -> Answer:
        rows, columns = await self.payload(receive)
        if not rows:
            return self.finished(201, None, (), content_range(0, 0, None))
        plan, row = await self.insert(rows, columns, values)
        status = 200 if self.merge and not row["inserted"] else 201
        headers = [content_range(0, 0, self.total(row["count"]))]
        if self.prefer.returns == "headers-only" and row["count"] == 1:
            location = f"{PREFIX}/{self.relation.name}?id=eq.{quote(row['id'])}"
            headers.append((b"location", location.encode()))
        return self.finished(status, row, plan.labels, *headers)

    async def insert(
        self, rows: list[dict[str, Any]], columns: tuple[str, ...], values: Sequence[Value]
    ) -> tuple[Plan, Row]:
        relation = self.relation
        fill = self.prefer.missing == "default"
        defaulted = tuple(
            name
            for name in columns
            if fill and relation.columns[name].default and any(name not in row for row in rows)
        )
        made = tuple(name for name in relation.made if name not in columns)
        written: dict[str, Any] = {}
        for name in columns:
            type_ = relation.columns[name].type
            make = relation.made.get(name) if fill else None
            written[f"c_{name}"] = [
                make() if make and name not in row else from_json(type_, row.get(name))
                for row in rows
            ]
            if name in defaulted:
                written[f"d_{name}"] = [name not in row for row in rows]
        for name in made:
            written[f"c_{name}"] = [relation.made[name]() for _ in rows]
        if not columns and not made:
            # a row of nothing but defaults; one column has to be named
            made, written = ("id",), {"c_id": [uuid4() for _ in rows]}

        single = len(rows) == 1
        if single:  # arrays of one cost a good part of the statement
            written = {name: values_[0] for name, values_ in written.items()}

        def planned() -> Plan:
            merged = columns if self.merge else None
            insert = build.Insert(columns + made, defaulted, self.conflict, merged, single)
            return build.insert(relation, self.tree, insert, self.output, secrets=self.secrets)

        plan = self.plan((columns, made, defaulted, single), planned)
        return plan, await self.run(plan, values, written)


class Put(Insert):
    """The upsert of one row, named by its primary key."""

    scopes = ("write", "read")

    def __init__(self, database: Database, max_rows: int, asked: Asked, parsed: Request) -> None:
        super().__init__(database, max_rows, asked, parsed)
        level = self.tree.level(())
        if level.limit >= 0 or level.offset >= 0 or asked.range is not None:
            raise RestError(
                400, "PGRST114", "limit/offset querystring parameters are not allowed for PUT"
            )
        match level.conditions:
            case (Condition("id", "eq", False, slot, None),):
                self._identity = slot
            case _:
                raise RestError(
                    405,
                    "PGRST105",
                    "Filters must include all and only primary key columns with 'eq' operators",
                )
        self.tree = replace(self.tree, levels=())
        self.conflict, self.merge = ("id",), True

    async def answer(self, values: Sequence[Value], receive: Receive) -> Answer:
        identity = from_json("uuid", values[self._identity])
        rows, columns = await self.payload(receive)
        ids = [from_json("uuid", row.get("id")) for row in rows]
        if ids != [identity]:
            raise RestError(
                400, "PGRST115", "Payload values do not match URL in primary key column(s)"
            )
        plan, row = await self.insert(rows, columns, values)
        status = 200 if self.full else 204
        return self.finished(201 if row["inserted"] else status, row, plan.labels)


class Update(_Write):
    async def answer(self, values: Sequence[Value], receive: Receive) -> Answer:
        rows, columns = await self.payload(receive)
        if len(rows) != 1:
            raise bad_body("PATCH takes one JSON object")
        status = 200 if self.full else 204
        if not columns:
            return self.finished(status, None, (), content_range(0, 0, None))
        written = {
            f"c_{name}": from_json(self.relation.columns[name].type, rows[0].get(name))
            for name in columns
        }
        plan = self.plan(
            columns,
            lambda: build.update(
                self.relation, self.tree, columns, self.output, secrets=self.secrets
            ),
        )
        row = await self.run(plan, values, written, limited=True)
        count = row["count"]
        return self.finished(status, row, plan.labels, content_range(0, count, self.total(count)))


class Delete(_Write):
    def __init__(self, database: Database, max_rows: int, asked: Asked, parsed: Request) -> None:
        super().__init__(database, max_rows, asked, parsed)
        self._delete = build.delete(self.relation, self.tree, self.output, secrets=self.secrets)

    async def answer(self, values: Sequence[Value], receive: Receive) -> Answer:
        row = await self.run(self._delete, values, {}, limited=True)
        status = 200 if self.full else 204
        total = content_range(0, 0, self.total(row["count"]))
        return self.finished(status, row, self._delete.labels, total)


async def _body(receive: Receive) -> bytes:
    """The whole body. Raises ClientDisconnect."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
