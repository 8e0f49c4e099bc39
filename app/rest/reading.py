"""GET and HEAD."""

import re
from dataclasses import replace
from typing import Final

import msgspec
from starlette.responses import Response

from app.rest import build, media
from app.rest.errors import RestError
from app.rest.exchange import Exchange, content_range
from app.rest.keys import require
from app.rest.plan import Output
from app.sql import explained

_RANGE: Final = re.compile(r"([0-9]{1,18})-([0-9]{0,18})", re.ASCII)


class Read(Exchange):
    async def answer(self) -> Response:
        require(self.key, "read", self.relation.name)
        self.cut_to_range()
        head = self.request.method == "HEAD"
        count = await self.count_mode()
        output = Output(
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
        headers = {"content-range": content_range(offset, row["count"], total)}
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
