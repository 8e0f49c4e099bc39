"""POST, PUT, PATCH and DELETE."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar
from urllib.parse import quote
from uuid import uuid4

from app.database import Row
from app.http.answer import Answer, Header
from app.rest import build, media
from app.rest.errors import RestError, bad_body
from app.rest.exchange import PREFIX, Asked, Exchange, Step, content_range
from app.rest.keys import require
from app.rest.media import Rows
from app.rest.plan import Output, Plan
from app.rest.tree import Condition, Request, Value
from app.rest.values import from_json
from app.settings import KeyScope


class _Write(Exchange):
    """What the writing methods share: the body's rows, and the end of the exchange."""

    scopes: ClassVar[tuple[KeyScope, ...]] = ("write", "read")

    def __init__(self, max_rows: int, asked: Asked, parsed: Request) -> None:
        for scope in self.scopes:
            require(asked.key, scope, asked.relation.name)
        super().__init__(max_rows, asked, parsed)
        self.full = self.prefer.returns == "representation"
        self.output = Output(
            body=self.full, stripped=self.form.stripped, text=self.form.type == media.CSV
        )
        self._decode: Callable[[bytes], Rows] | None = None
        # of the request before: the columns that passed check_written, and the plan for its parts
        self._checked: tuple[str, ...] | None = None
        self._parts: object = None
        self._plan: Plan | None = None

    def payload(self, body: bytes) -> tuple[Rows, tuple[str, ...]]:
        """The rows of the body and the columns they are to set."""
        columns = self.tree.columns
        if self._decode is None:
            self._decode = media.decoder(self.asked.content_type, columns=columns is not None)
        rows = self._decode(body)
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

    def step(
        self,
        plan: Plan,
        values: Sequence[Value],
        written: dict[str, Any],
        then: Callable[[Plan, Row], Answer],
        *,
        limited: bool = False,
    ) -> Step:
        """Run a writing statement; ``limited``: max-affected counts for it."""
        limit = None
        if limited and self.prefer.handling == "strict":
            limit = self.prefer.max_affected
        return Step(
            plan.statement,
            plan.arguments(values, self.max_rows, written),
            partial(then, plan),
            partial(self._check, limit) if self.form.singular or limit is not None else None,
            self.prefer.tx == "rollback",
        )

    def _check(self, limit: int | None, row: Row) -> None:
        self.check_singular(row)
        if limit is not None and row["count"] > limit:
            raise RestError(
                400,
                "PGRST124",
                "Query result exceeds max-affected preference constraint",
                f"The query affects {row['count']} rows",
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

    def __init__(self, max_rows: int, asked: Asked, parsed: Request) -> None:
        super().__init__(max_rows, asked, parsed)
        self.merge = self.prefer.resolution == "merge-duplicates"
        self._fill = self.prefer.missing == "default"
        self.conflict: tuple[str, ...] | None = None
        if self.prefer.resolution is not None:
            self.conflict = self.tree.on_conflict or ("id",)
        if self.full or self.conflict:
            require(asked.key, "read", self.relation.name)

    def begin(self, values: Sequence[Value], body: bytes) -> Answer | Step:
        rows, columns = self.payload(body)
        if not rows:
            return self.finished(201, None, (), content_range(0, 0, None))
        return self.insert(rows, columns, values, self._answer)

    def _answer(self, plan: Plan, row: Row) -> Answer:
        status = 200 if self.merge and not row["inserted"] else 201
        headers = [content_range(0, 0, self.total(row["count"]))]
        if self.prefer.returns == "headers-only" and row["count"] == 1:
            location = f"{PREFIX}/{self.relation.name}?id=eq.{quote(row['id'])}"
            headers.append((b"location", location.encode()))
        return self.finished(status, row, plan.labels, *headers)

    def insert(
        self,
        rows: Rows,
        columns: tuple[str, ...],
        values: Sequence[Value],
        then: Callable[[Plan, Row], Answer],
    ) -> Step:
        relation = self.relation
        defaulted: tuple[str, ...] = ()
        if self._fill and self.tree.columns is not None:  # or every row has every column
            defaulted = tuple(
                name
                for name in columns
                if relation.columns[name].default and any(name not in row for row in rows)
            )
        made = tuple([name for name in relation.made if name not in columns])
        if not columns and not made:
            made = ("id",)  # a row of nothing but defaults; one column has to be named

        single = len(rows) == 1  # arrays of one cost a good part of the statement
        written: dict[str, Any] = {}
        for name in columns:
            given = [self._value(name, row) for row in rows]
            written[f"c_{name}"] = given[0] if single else given
        for name in made:
            given = [relation.made.get(name, uuid4)() for _ in rows]
            written[f"c_{name}"] = given[0] if single else given
        for name in defaulted:
            lacking = [name not in row for row in rows]
            written[f"d_{name}"] = lacking[0] if single else lacking

        def planned() -> Plan:
            merged = columns if self.merge else None
            insert = build.Insert(columns + made, defaulted, self.conflict, merged, single)
            return build.insert(relation, self.tree, insert, self.output, secrets=self.secrets)

        plan = self.plan((columns, made, defaulted, single), planned)
        return self.step(plan, values, written, then)

    def _value(self, name: str, row: dict[str, Any]) -> Any:
        if self._fill and name not in row and name in self.relation.made:
            return self.relation.made[name]()
        return from_json(self.relation.columns[name].type, row.get(name))


class Put(Insert):
    """The upsert of one row, named by its primary key."""

    scopes = ("write", "read")

    def __init__(self, max_rows: int, asked: Asked, parsed: Request) -> None:
        super().__init__(max_rows, asked, parsed)
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

    def begin(self, values: Sequence[Value], body: bytes) -> Answer | Step:
        identity = from_json("uuid", values[self._identity])
        rows, columns = self.payload(body)
        ids = [from_json("uuid", row.get("id")) for row in rows]
        if ids != [identity]:
            raise RestError(
                400, "PGRST115", "Payload values do not match URL in primary key column(s)"
            )
        return self.insert(rows, columns, values, self._answer)

    def _answer(self, plan: Plan, row: Row) -> Answer:
        status = 200 if self.full else 204
        return self.finished(201 if row["inserted"] else status, row, plan.labels)


class Update(_Write):
    def begin(self, values: Sequence[Value], body: bytes) -> Answer | Step:
        rows, columns = self.payload(body)
        if len(rows) != 1:
            raise bad_body("PATCH takes one JSON object")
        if not columns:
            return self.finished(200 if self.full else 204, None, (), content_range(0, 0, None))
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
        return self.step(plan, values, written, self._answer, limited=True)

    def _answer(self, plan: Plan, row: Row) -> Answer:
        status, count = 200 if self.full else 204, row["count"]
        return self.finished(status, row, plan.labels, content_range(0, count, self.total(count)))


class Delete(_Write):
    def __init__(self, max_rows: int, asked: Asked, parsed: Request) -> None:
        super().__init__(max_rows, asked, parsed)
        self._delete = build.delete(self.relation, self.tree, self.output, secrets=self.secrets)

    def begin(self, values: Sequence[Value], body: bytes) -> Answer | Step:
        return self.step(self._delete, values, {}, self._answer, limited=True)

    def _answer(self, plan: Plan, row: Row) -> Answer:
        status = 200 if self.full else 204
        total = content_range(0, 0, self.total(row["count"]))
        return self.finished(status, row, plan.labels, total)
