"""POST, PUT, PATCH and DELETE."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from ..database import Database, Transaction
from ..errors import RestError
from ..relation import Relation
from ..security_events import security_event
from ..sql import Record
from . import media, queries
from .binding import BoundStatement, Output
from .errors import bad_body, not_singular
from .keys import require
from .media import Rows
from .plan import PREFIX, Limits, Plan, content_range, only_row
from .query_tree import Condition, ParsedQuery, Value, ValueIndex
from .request import ApiRequest
from .values import FROM_TEXT, array_literal

_STATEMENTS: Final = 8
"""Statements that a plan keeps; a body decides which columns they have."""


class WritePlan(Plan):
    """What the writing methods share."""

    scopes = ("write", "read")

    def __init__(
        self, request: ApiRequest, relations: Mapping[str, Relation], limits: Limits
    ) -> None:
        for scope in self.scopes:
            require(request.key, scope, request.relation.name)
        super().__init__(request, relations, limits)
        self._key_name, self._method = request.key.name, request.method
        self.returns_rows = self.preferences.returns == "representation"
        self.output = Output(
            body=self.returns_rows,
            strip_nulls=self.format.strip_nulls,
            as_text=self.format.type == media.CSV,
        )

    async def run(
        self,
        database: Database,
        statement: BoundStatement,
        arguments: tuple[Any, ...],
        request_id: str | None,
        max_affected: int | None = None,
    ) -> Record:
        """Run a writing statement; undo it when its row fails a check, or when that is wanted.

        What was written is an event, with the keys of the first rows.
        """
        rollback = self.preferences.tx == "rollback"
        timeout = self.limits.query_timeout
        if not (rollback or self.format.singular or max_affected is not None):
            row = await database.fetchrow(statement.statement, *arguments, timeout=timeout)
            return self._logged(only_row(row), request_id)

        async def write(transaction: Transaction) -> Record:
            row = only_row(await transaction.fetchrow(statement.statement, *arguments))
            self.check_singular(row["count"])
            if max_affected is not None and row["count"] > max_affected:
                raise RestError(
                    400,
                    "PGRST124",
                    "Query result exceeds max-affected preference constraint",
                    f"The query affects {row['count']} rows",
                )
            return row

        row = await database.transaction(
            statement.statement.name, write, rollback=rollback, timeout=timeout
        )
        return row if rollback else self._logged(row, request_id)

    def _logged(self, row: Record, request_id: str | None) -> Record:
        security_event(
            "rest_write",
            outcome="ok",
            key=self._key_name,
            method=self._method,
            table=self.relation.name,
            ids=row["ids"],
            count=row["count"],
            request=request_id,
        )
        return row

    @property
    def max_affected(self) -> int | None:
        """The preference, which holds with handling=strict only."""
        strict = self.preferences.handling == "strict"
        return self.preferences.max_affected if strict else None

    def written(
        self,
        status: int,
        row: Record | None,
        labels: tuple[str, ...],
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """The response, with the rows when they are wanted; ``row``: None when nothing was done."""
        if not self.returns_rows:
            return self.response(status, None, headers)
        if row is not None:
            return self.response(status, self.rendered(row, labels), headers)
        if self.format.singular:
            raise not_singular(0)
        body = media.to_csv(labels, "[]") if self.format.type == media.CSV else b"[]"
        return self.response(status, body, headers)

    def total(self, count: int) -> int | None:
        return count if self.preferences.count == "exact" else None


class BodyPlan(WritePlan):
    """A plan for requests that have a body."""

    reads_body = True

    def __init__(
        self, request: ApiRequest, relations: Mapping[str, Relation], limits: Limits
    ) -> None:
        super().__init__(request, relations, limits)
        uniform = self.tree.columns is None
        self.body_format = media.body_format(request.content_type, uniform=uniform)

    def read_body(self, body: bytes) -> tuple[Rows, tuple[str, ...]]:
        """The rows of the body and the columns to write. Raises RestError."""
        rows = self.body_format.decode(body)
        columns = self.tree.columns
        if columns is None:
            columns = tuple(rows[0]) if rows else ()
        changed = self.changed(columns)
        queries.check_writable(self.relation, columns, secrets=self.secrets, changed=changed)
        return rows, columns

    def changed(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Which of the columns to write can change in a row that is there already."""
        return columns

    def column(self, rows: Rows, name: str) -> list[Any]:
        """What the rows say for a column, None where they say nothing. Raises RestError."""
        convert = self.body_format.converters[self.relation.columns[name].type]
        given = (row.get(name) for row in rows)
        return [None if value is None else convert(value) for value in given]


class InsertPlan(BodyPlan):
    scopes = ("write",)

    def __init__(
        self, request: ApiRequest, relations: Mapping[str, Relation], limits: Limits
    ) -> None:
        super().__init__(request, relations, limits)
        self.on_conflict: tuple[str, ...] | None = None
        if self.preferences.resolution is not None:
            self.on_conflict = self.tree.on_conflict or self.relation.primary_key
        self.merges = self.preferences.resolution == "merge-duplicates"
        self._fills_defaults = self.preferences.missing == "default"
        self._gives_location = self.preferences.returns == "headers-only"
        if self.returns_rows or self.on_conflict:
            require(request.key, "read", self.relation.name)
        self._check_shard_key()
        self._statement = lru_cache(_STATEMENTS)(self._make_statement)

    def _check_shard_key(self) -> None:
        """Each shard sees only its own rows: by another key an upsert would make a second row."""
        key = self.relation.shard_key
        if self.on_conflict is not None and key is not None and key not in self.on_conflict:
            raise RestError(
                400,
                "0A000",
                f"{self.relation.name} is spread over several servers by {key}",
                "A conflict by other columns cannot be seen across them",
                f"Use on_conflict={key}, or PATCH."
                if (key,) in self.relation.keys
                else "Use PATCH.",
            )

    async def execute(
        self, database: Database, values: Sequence[Value], body: bytes, request_id: str | None
    ) -> Response:
        rows, columns = self.read_body(body)
        if not rows:
            return self.written(201, None, (), content_range(0, 0, None))
        row, labels = await self.insert(database, rows, columns, values, request_id)
        headers = content_range(0, 0, self.total(row["count"]))
        if self._gives_location and row["count"] == 1:
            headers["location"] = self._location(row["key"])
        status = 200 if self.merges and not row["inserted"] else 201
        return self.written(status, row, labels, headers)

    async def insert(
        self,
        database: Database,
        rows: Rows,
        columns: tuple[str, ...],
        values: Sequence[Value],
        request_id: str | None,
    ) -> tuple[Record, tuple[str, ...]]:
        """Insert the rows; gives the row of the statement and the labels of its columns."""
        factories = self.relation.default_factories
        generated = tuple(name for name in factories if name not in columns)
        defaulted = self._defaulted(rows, columns)
        if not columns and not generated:
            columns = defaulted = (self._column_with_default(),)
        data = {name: self.column(rows, name) for name in columns}
        data |= {name: [factories[name]() for _ in rows] for name in generated}
        single = len(rows) == 1  # arrays cost a good part of the statement
        parameters: dict[str, Any] = {
            f"c_{name}": column[0] if single else self._array(name, column)
            for name, column in data.items()
        }
        for name in defaulted:
            parameters[f"d_{name}"] = [name not in row for row in rows]
        statement = self._statement(columns, generated, defaulted, single)
        arguments = statement.arguments(values, self.limits.max_rows, parameters)
        row = await self.run(database, statement, arguments, request_id)
        return row, statement.labels

    def changed(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        if not self.merges:
            return ()
        # in those of the conflict the old row and the new one are equal
        return tuple(name for name in columns if name not in (self.on_conflict or ()))

    def column(self, rows: Rows, name: str) -> list[Any]:
        column = super().column(rows, name)
        generate = self.relation.default_factories.get(name)
        if generate is not None and self._fills_defaults:
            for index, row in enumerate(rows):
                if name not in row:
                    column[index] = generate()
        return column

    def _array(self, name: str, column: list[Any]) -> list[Any]:
        """The column of several rows as one parameter."""
        if self.relation.columns[name].type != "text[]":
            return column
        return [None if value is None else array_literal(value) for value in column]

    def _defaulted(self, rows: Rows, columns: tuple[str, ...]) -> tuple[str, ...]:
        """The columns whose default some row takes. Without ``columns=`` rows have equal keys."""
        if not self._fills_defaults or self.tree.columns is None:
            return ()
        defaults = [name for name in columns if self.relation.columns[name].default]
        return tuple(name for name in defaults if any(name not in row for row in rows))

    def _column_with_default(self) -> str:
        """For a row of nothing but defaults: an INSERT has to name a column."""
        columns = self.relation.columns.values()
        return next((c.name for c in columns if c.default), self.relation.primary_key[0])

    def _make_statement(
        self,
        columns: tuple[str, ...],
        generated: tuple[str, ...],
        defaulted: tuple[str, ...],
        single: bool,
    ) -> BoundStatement:
        insert = queries.Insert(
            columns + generated,
            defaulted,
            self.on_conflict,
            columns if self.merges else None,
            single,
            self._gives_location,
        )
        return queries.insert(self.target, insert, self.output)

    def _location(self, key: list[str]) -> str:
        filters = zip(self.relation.primary_key, key, strict=True)
        query = "&".join(f"{name}=eq.{quote(value, safe='')}" for name, value in filters)
        return f"{PREFIX}/{self.relation.name}?{query}"


class PutPlan(InsertPlan):
    """The upsert of one row, named by its primary key."""

    scopes = ("write", "read")

    def __init__(
        self, request: ApiRequest, relations: Mapping[str, Relation], limits: Limits
    ) -> None:
        tree = request.query.tree
        without_levels = ParsedQuery(replace(tree, levels=()), request.query.values)
        super().__init__(replace(request, query=without_levels), relations, limits)
        self.on_conflict, self.merges = self.relation.primary_key, True
        self._check_shard_key()
        level = tree.level()
        if level.is_limited or request.has_range:
            raise RestError(
                400, "PGRST114", "limit/offset querystring parameters are not allowed for PUT"
            )
        self._identity: dict[str, ValueIndex] = {}
        for condition in level.conditions:
            match condition:
                case Condition(column, "eq", False, int(index), None):
                    self._identity[column] = index
        primary_key = set(self.relation.primary_key)
        if len(level.conditions) != len(self._identity) or self._identity.keys() != primary_key:
            raise RestError(
                405,
                "PGRST105",
                "Filters must include all and only primary key columns with 'eq' operators",
            )

    async def execute(
        self, database: Database, values: Sequence[Value], body: bytes, request_id: str | None
    ) -> Response:
        identity = {
            name: FROM_TEXT[self.relation.columns[name].type](str(values[index]))
            for name, index in self._identity.items()
        }
        rows, columns = self.read_body(body)
        given = {name: self.column(rows, name) for name in identity}
        expected = {name: [value] for name, value in identity.items()}
        if given != expected or not identity.keys() <= set(columns):
            raise RestError(
                400, "PGRST115", "Payload values do not match URL in primary key column(s)"
            )
        row, labels = await self.insert(database, rows, columns, (), request_id)
        status = 200 if self.returns_rows else 204
        return self.written(201 if row["inserted"] else status, row, labels)


class UpdatePlan(BodyPlan):
    def __init__(
        self, request: ApiRequest, relations: Mapping[str, Relation], limits: Limits
    ) -> None:
        super().__init__(request, relations, limits)
        self._statement = lru_cache(_STATEMENTS)(self._make_statement)

    async def execute(
        self, database: Database, values: Sequence[Value], body: bytes, request_id: str | None
    ) -> Response:
        rows, columns = self.read_body(body)
        if len(rows) != 1:
            raise bad_body("PATCH takes one JSON object")
        status = 200 if self.returns_rows else 204
        if not columns:
            return self.written(status, None, (), content_range(0, 0, None))
        parameters = {f"c_{name}": self.column(rows, name)[0] for name in columns}
        statement = self._statement(columns)
        arguments = statement.arguments(values, self.limits.max_rows, parameters)
        row = await self.run(database, statement, arguments, request_id, self.max_affected)
        headers = content_range(0, row["count"], self.total(row["count"]))
        return self.written(status, row, statement.labels, headers)

    def _make_statement(self, columns: tuple[str, ...]) -> BoundStatement:
        return queries.update(self.target, columns, self.output)


class DeletePlan(WritePlan):
    def __init__(
        self, request: ApiRequest, relations: Mapping[str, Relation], limits: Limits
    ) -> None:
        super().__init__(request, relations, limits)
        self._statement = queries.delete(self.target, self.output)

    async def execute(
        self, database: Database, values: Sequence[Value], body: bytes, request_id: str | None
    ) -> Response:
        arguments = self._statement.arguments(values, self.limits.max_rows)
        row = await self.run(database, self._statement, arguments, request_id, self.max_affected)
        headers = content_range(0, 0, self.total(row["count"]))
        status = 200 if self.returns_rows else 204
        return self.written(status, row, self._statement.labels, headers)
