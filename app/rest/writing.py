"""POST, PUT, PATCH and DELETE."""

from dataclasses import replace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from starlette.responses import Response

from app.database import Row
from app.rest import build, media
from app.rest.errors import RestError, bad_body
from app.rest.exchange import PREFIX, Exchange, content_range, or_star
from app.rest.keys import require
from app.rest.plan import Output, Plan
from app.rest.tree import Condition
from app.rest.values import from_json


class _Write(Exchange):
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
    def output(self) -> Output:
        body = self.prefer.returns == "representation"
        text = self.form.type == media.CSV
        return Output(body=body, stripped=self.form.stripped, text=text)

    async def run(self, plan: Plan, values: dict[str, Any], *, limited: bool = False) -> Row:
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


class Insert(_Write):
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
            return self.finished(201, None, (), {"content-range": content_range(0, 0, None)})
        plan, row = await self.insert(payload, columns, conflict, merge)
        status = 200 if merge and not row["inserted"] else 201
        headers = {"content-range": f"*/{or_star(self.total(row['count']))}"}
        if self.prefer.returns == "headers-only" and row["count"] == 1:
            headers["location"] = f"{PREFIX}/{self.relation.name}?id=eq.{quote(row['id'])}"
        return self.finished(status, row, plan.labels, headers)

    async def insert(
        self,
        payload: media.Payload,
        columns: tuple[str, ...],
        conflict: tuple[str, ...] | None,
        merge: bool,
    ) -> tuple[Plan, Row]:
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


class Put(Insert):
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


class Update(_Write):
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
        headers = {"content-range": content_range(0, count, self.total(count))}
        return self.finished(status, row, plan.labels, headers)


class Delete(_Write):
    async def answer(self) -> Response:
        require(self.key, "write", self.relation.name)
        require(self.key, "read", self.relation.name)
        plan = build.delete(self.relation, self.tree, self.output, secrets=self.secrets)
        row = await self.run(plan, {}, limited=True)
        status = 200 if self.prefer.returns == "representation" else 204
        headers = {"content-range": f"*/{or_star(self.total(row['count']))}"}
        return self.finished(status, row, plan.labels, headers)
