"""GET and HEAD."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import msgspec
from starlette.responses import Response

from ..database import Reads
from ..relation import Relation
from ..sql import Record
from . import media, queries
from .binding import BoundStatement, Output
from .errors import unsatisfiable_range
from .keys import require
from .plan import Limits, Plan, content_range, only_row
from .query_tree import ParsedQuery, Value, ValueIndex
from .request import ApiRequest

_RANGE: Final = re.compile(r"([0-9]{1,18})-([0-9]{0,18})", re.ASCII)


class ReadPlan(Plan):
    scopes = ("read",)

    def __init__(
        self, request: ApiRequest, relations: Mapping[str, Relation], limits: Limits
    ) -> None:
        for scope in self.scopes:
            require(request.key, scope, request.relation.name)
        # preferences for writing have no effect here, and are not said to have had one
        preferences = replace(request.preferences, returns=None, resolution=None, missing=None)
        self._range: _RangeHeader | None = None
        query = request.query
        if request.has_range:
            self._range = _RangeHeader(query, limits.max_rows)
            query = self._range.applied_to(query)
        super().__init__(replace(request, preferences=preferences, query=query), relations, limits)
        self._head = request.method == "HEAD"
        self._offset = self.tree.level().offset
        self._page = self._read(total=preferences.count == "exact")
        self._estimate: BoundStatement | None = None
        if preferences.count in ("planned", "estimated"):
            self._estimate = queries.count(self.target).explained()
        if preferences.count == "estimated":
            self._counted_page = self._read(total=True)

    async def execute(
        self, database: Reads, values: Sequence[Value], body: bytes, request_id: str | None
    ) -> Response:
        if self._range is not None:
            values = self._range.narrow(values)
        page, total = self._page, None
        if self._estimate is not None:
            total = _planned_rows(await self._fetch(database, self._estimate, values))
            if self.preferences.count == "estimated" and total <= self.limits.max_rows:
                page = self._counted_page
        row = await self._fetch(database, page, values)
        return self._response(row, page.labels, _number(values, self._offset) or 0, total)

    async def _fetch(
        self, database: Reads, statement: BoundStatement, values: Sequence[Value]
    ) -> Record:
        arguments = statement.arguments(values, self.limits.max_rows)
        timeout = self.limits.query_timeout
        return only_row(await database.fetchrow(statement.statement, *arguments, timeout=timeout))

    def _read(self, *, total: bool) -> BoundStatement:
        output = Output(
            body=not self._head,
            total=total,
            strip_nulls=self.format.strip_nulls,
            as_text=self.format.type == media.CSV,
        )
        return queries.read(self.target, output)

    def _response(
        self, row: Record, labels: tuple[str, ...], offset: int, total: int | None
    ) -> Response:
        count = row["count"]
        self.check_singular(count)
        total, status = row.get("total", total), 200
        if total is not None:
            if offset > total:
                raise unsatisfiable_range(
                    f"An offset of {offset} was requested, but there are only {total} rows."
                )
            status = 206 if count < total else 200
        body = b"" if self._head else self.rendered(row, labels)
        return self.response(status, body, content_range(offset, count, total))


class _RangeHeader:
    """PostgREST's ``Range: 0-24``, which narrows limit and offset.

    A plan has the header as the last of its values, so that it serves every range.
    """

    def __init__(self, query: ParsedQuery, max_rows: int) -> None:
        level = query.tree.level()
        self._limit, self._offset = level.limit, level.offset
        self._index = len(query.values)
        self._max_rows = max_rows

    def applied_to(self, query: ParsedQuery) -> ParsedQuery:
        """The query with the limit and the offset that ``narrow`` adds to the values."""
        level = replace(query.tree.level(), offset=self._index, limit=self._index + 1)
        others = tuple((path, other) for path, other in query.tree.levels if path)
        return ParsedQuery(replace(query.tree, levels=(((), level), *others)), query.values)

    def narrow(self, values: Sequence[Value]) -> list[Value]:
        """Raises RestError: 416 PGRST103 when the range ends before it begins."""
        offset, limit = _number(values, self._offset), _number(values, self._limit)
        match = _RANGE.fullmatch(str(values[-1]))
        if match is not None:
            lower, upper = int(match[1]), int(match[2]) if match[2] else None
            if upper is not None and lower > upper:
                raise unsatisfiable_range(
                    "The lower boundary must be lower than or equal to the upper boundary "
                    "in the Range header."
                )
            ends = [] if upper is None else [upper]
            if limit is not None:
                ends.append((offset or 0) + limit - 1)
            offset = max(lower, offset or 0)
            limit = max(0, min(ends) - offset + 1) if ends else None
        limit = self._max_rows if limit is None else limit
        return [*values[:-1], str(offset or 0), str(limit)]


def _number(values: Sequence[Value], index: ValueIndex | None) -> int | None:
    return None if index is None else int(str(values[index]))


def _planned_rows(row: Record) -> int:
    """The planner's estimate in the output of EXPLAIN."""
    return int(msgspec.json.decode(row["QUERY PLAN"])[0]["Plan"]["Plan Rows"])
