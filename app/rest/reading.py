"""GET and HEAD."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import msgspec

from app.database import Row
from app.http.answer import Answer
from app.rest import build, media
from app.rest.errors import RestError
from app.rest.exchange import Asked, Exchange, Step, content_range
from app.rest.keys import require
from app.rest.plan import Output, Plan
from app.rest.tree import Request, Value

_RANGE: Final = re.compile(r"([0-9]{1,18})-([0-9]{0,18})", re.ASCII)


class Read(Exchange):
    def __init__(self, max_rows: int, asked: Asked, parsed: Request) -> None:
        require(asked.key, "read", asked.relation.name)
        _cut_to_range(parsed, asked.range or "")
        # preferences for writing have no effect here, and are not said to have had one
        prefer = replace(asked.prefer, returns=None, resolution=None, missing=None)
        super().__init__(max_rows, replace(asked, prefer=prefer), parsed)
        self._head = asked.method == "HEAD"
        self._offset = self.tree.level(()).offset
        self._plan = self._planned(total=prefer.count == "exact")
        self._estimate: Plan | None = None
        if prefer.count in ("planned", "estimated"):
            counted = build.counted(self.relation, self.tree, secrets=self.secrets)
            self._estimate = counted.explained()

    def begin(self, values: Sequence[Value], body: bytes) -> Answer | Step:
        if self._estimate is None:
            return self._read(self._plan, values)
        arguments = self._estimate.arguments(values, self.max_rows)
        return Step(self._estimate.statement, arguments, partial(self._estimated, values))

    def _estimated(self, values: Sequence[Value], row: Row) -> Step:
        total = int(msgspec.json.decode(row["QUERY PLAN"])[0]["Plan"]["Plan Rows"])
        if self.prefer.count == "estimated" and total <= self.max_rows:
            return self._read(self._planned(total=True), values)
        return self._read(self._plan, values, total)

    def _read(self, plan: Plan, values: Sequence[Value], total: int | None = None) -> Step:
        offset = _number(values, self._offset)
        then = partial(self._answer, plan, offset, total)
        return Step(plan.statement, plan.arguments(values, self.max_rows), then)

    def _answer(self, plan: Plan, offset: int, total: int | None, row: Row) -> Answer:
        self.check_singular(row)
        total, status = row.get("total", total), 200
        if total is not None:
            if offset > total:
                raise RestError(
                    416,
                    "PGRST103",
                    "Requested range not satisfiable",
                    f"An offset of {offset} was requested, but there are only {total} rows.",
                )
            status = 206 if row["count"] < total else 200
        body = b"" if self._head else self.rendered(row, plan.labels)
        return self.reply(status, body, content_range(offset, row["count"], total))

    def _planned(self, *, total: bool) -> Plan:
        output = Output(
            body=not self._head,
            total=total,
            stripped=self.form.stripped,
            text=self.form.type == media.CSV,
        )
        return build.read(self.relation, self.tree, output, secrets=self.secrets)


def _number(values: Sequence[Value], at: int) -> int:
    return int(str(values[at])) if at >= 0 else 0


def _cut_to_range(parsed: Request, range_: str) -> None:
    """Narrow limit and offset to the Range header (PostgREST: ``Range: 0-24``)."""
    match = _RANGE.fullmatch(range_)
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
    level = parsed.tree.level(())
    offset = _number(parsed.values, level.offset)
    first = max(lower, offset)
    ends = [upper] if upper is not None else []
    if level.limit >= 0:
        ends.append(offset + _number(parsed.values, level.limit) - 1)
    at = len(parsed.values)
    parsed.values += [str(first), str(max(0, min(ends) - first + 1)) if ends else "0"]
    level = replace(level, offset=at, limit=at + 1 if ends else -1)
    others = tuple((path, other) for path, other in parsed.tree.levels if path)
    parsed.tree = replace(parsed.tree, levels=(((), level), *others))
