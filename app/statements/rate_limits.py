"""The statements of the auth API on rate_limits, and their purge. Times are ms since 1970 UTC."""

from typing import Final

from ..schema import rate_limits
from ..sql import Case, Expression, Field, Parameter, Query, statement
from .purges import chunk, row_of

_r = rate_limits.table
_KEY, _NOW = Parameter("key", "text"), Parameter("now", "bigint")
_WINDOW, _MAX = Parameter("window", "bigint"), Parameter("max", "integer")
_ONE = Parameter("one", "integer")
_old_count, _old_time = _r.field("count"), _r.field("last_request")
_passed = Expression("{} - {} > {}", _NOW, _old_time, _WINDOW)

take: Final = statement(
    "rate_limits.take",
    Query.into(_r)
    .columns("key", "count", "last_request")
    .insert(_KEY, _ONE, _NOW)
    .on_conflict("key")
    .do_update(Field("count"), Case().when(_passed, _ONE).else_(Expression("{} + 1", _old_count)))
    .do_update(Field("last_request"), _NOW)
    .where(_passed | (_old_count < _MAX))
    .returning(_old_count),
)
"""Count a request, in one atomic statement. No row: it is over the limit and was not counted."""

look: Final = statement("rate_limits.look", Query.from_(_r).select(_old_time).where(_r.key == _KEY))
"""When the last request was let through."""

give_back: Final = statement(
    "rate_limits.give_back",
    Query.update(_r)
    .set(Field("count"), Expression("{} - 1", _old_count))
    .where((_r.key == _KEY) & Expression("{} > 0", _old_count))
    .returning(_old_count),
)
"""Take back what was counted."""

_is_one = Expression("{} = ANY ({})", _r.key, Parameter("keys", "text[]"))

of_keys: Final = statement(
    "rate_limits.of_keys",
    Query.from_(_r).select(_r.key, _old_count, _old_time).where(_is_one).orderby(_r.key),
)

end: Final = statement("rate_limits.end", Query.from_(_r).delete().where(_is_one).returning(_r.key))

any_row: Final = row_of(rate_limits)

purge: Final = chunk(
    rate_limits,
    lambda row: (
        row.last_request < Expression("extract(epoch FROM now() - interval '1 day') * 1000")
    ),
)
"""A day is longer than any window."""
