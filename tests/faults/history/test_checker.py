"""The rules of the checker, on histories written by hand."""

from typing import Any

from tests.faults.history.checker import (
    BACK,
    LOST,
    REFUSED,
    REVOKED,
    STALE,
    TWICE,
    FinalState,
    Operation,
    check,
)

S = "session s"


def op(begin: float, end: float, /, *, outcome: Any = "ok", **what: Any) -> Operation:
    return Operation(
        kind=what.pop("kind", "op"), begin=begin, end=end, outcome=outcome, user="ada", **what
    )


def broken(*history: Operation, rows: Any = None, values: Any = None) -> list[str]:
    """The rules that are broken; ``rows`` None: the end is as the last look had it."""
    if rows is None:
        last = max(history, key=lambda one: one.end, default=None)
        rows = {name: [expiry] for name, expiry in last.sees.items()} if last else {}
    return [one.rule for one in check(history, FinalState(items=rows, values=values or {}))]


CREATED = op(0, 1, creates=(S,))


def test_acknowledged_session_that_stays_is_fine() -> None:
    assert broken(CREATED, op(2, 3, sees={S: 10}), op(4, 5, sees={S: 11})) == []
    assert broken() == []


def test_revoked_session_is_accepted_by_a_look_that_began_later() -> None:
    revoked = op(2, 3, ends=(S,))
    assert broken(CREATED, revoked, op(3.1, 4, sees={S: 10}), rows={}) == [REVOKED]
    # a look that was under way may have been first
    assert broken(CREATED, revoked, op(2.9, 4, sees={S: 10}), rows={}) == []
    assert broken(CREATED, op(2, 3, ends=(S,), outcome="refused"), op(4, 5, sees={S: 10})) == []


def test_revocation_of_unknown_outcome_may_come_late_but_only_once() -> None:
    unknown = op(2, 3, ends=(S,), outcome="unknown")
    assert broken(CREATED, unknown, op(4, 5, sees={S: 10})) == []
    assert broken(CREATED, unknown, op(4, 5, sees={S: 10}), op(6, 7, misses=(S,))) == []
    assert broken(CREATED, unknown, op(4, 5, misses=(S,)), op(6, 7, sees={S: 10})) == [REVOKED]


def test_end_of_all_other_sessions_ends_those_that_were_known_before() -> None:
    other = "session other"
    others = op(2, 3, ends_others=(other,))
    assert broken(CREATED, others, op(4, 5, sees={S: 10}), rows={}) == [REVOKED]
    assert broken(CREATED, others, op(4, 5, misses=(S,))) == []
    kept = op(0, 1, creates=(other,))
    assert broken(kept, others, op(4, 5, sees={other: 10})) == []
    assert broken(kept, others, op(4, 5, misses=(other,))) == [LOST]
    # one that begins meanwhile may be ended or not
    meanwhile = op(2.1, 2.9, creates=(S,))
    assert broken(meanwhile, others, op(4, 5, sees={S: 10})) == []
    assert broken(meanwhile, others, op(4, 5, misses=(S,))) == []
    assert broken(op(3.1, 4, creates=(S,)), others, op(5, 6, misses=(S,))) == [LOST]


def test_deleted_user_takes_its_sessions_along() -> None:
    deleted = op(2, 3, ends=("user ada",))
    user = op(0, 1, creates=("user ada", S))
    assert broken(user, deleted, rows={}) == []
    assert broken(user, deleted, op(4, 5, sees={S: 10}), rows={}) == [REVOKED]
    assert broken(user, deleted, rows={"user ada": [0]}) == [REVOKED]
    assert broken(op(2.5, 3.5, creates=(S,)), deleted, op(4, 5, sees={S: 10}), rows={}) == [REVOKED]


def test_acknowledged_session_is_lost() -> None:
    assert broken(CREATED, op(2, 3, misses=(S,))) == [LOST]
    assert broken(CREATED, rows={}) == [LOST]
    assert broken(op(0, 2, creates=(S,)), op(1, 3, misses=(S,)), rows={S: [10]}) == []
    # an ending that began after the look explains nothing
    assert broken(CREATED, op(2, 3, misses=(S,)), op(4, 5, ends=(S,))) == [LOST]


def test_creation_of_unknown_outcome_may_be_there_or_not() -> None:
    unknown = op(0, 1, creates=(S,), outcome="unknown")
    assert broken(unknown, rows={}) == []
    assert broken(unknown, rows={S: [10]}) == []
    assert broken(unknown, op(2, 3, misses=(S,)), op(4, 5, sees={S: 10})) == []
    # once it was seen it is there
    assert broken(unknown, op(2, 3, sees={S: 10}), op(4, 5, misses=(S,))) == [LOST]


def test_expiry_goes_back() -> None:
    assert broken(CREATED, op(2, 3, sees={S: 11}), op(4, 5, sees={S: 10})) == [BACK]
    assert broken(CREATED, op(2, 3, sees={S: 11}), rows={S: [10]}) == [BACK]
    # of two looks at a time either may have been first
    assert broken(CREATED, op(2, 4, sees={S: 11}), op(3, 5, sees={S: 10}), rows={S: [11]}) == []
    # the earlier look need not be the neighbour
    looks = (op(2, 3, sees={S: 12}), op(2.5, 6, sees={S: 10}), op(4, 5, sees={S: 11}))
    assert broken(CREATED, *looks, rows={S: [12]}) == [BACK]


def test_write_is_there_twice() -> None:
    row = op(0, 1, creates=("row r",))
    assert broken(row, rows={"row r": [0]}) == []
    assert broken(row, rows={"row r": [0, 0]}) == [TWICE]
    unknown = op(0, 1, creates=("row r",), outcome="unknown")
    assert broken(unknown, rows={"row r": [0, 0]}) == [TWICE]


def test_refused_write_is_there() -> None:
    refused = op(0, 1, creates=(S,), outcome="refused")
    assert broken(refused, rows={}) == []
    assert broken(refused, rows={S: [10]}) == [REFUSED]


def write(begin: float, end: float, value: str, outcome: Any = "ok") -> Operation:
    return op(begin, end, writes={"name": value}, outcome=outcome)


def read(begin: float, end: float, value: str) -> Operation:
    return op(begin, end, reads={"name": value})


def test_value_that_had_been_replaced_is_read() -> None:
    history = (write(0, 1, "a"), write(2, 3, "b"))
    assert broken(*history, read(4, 5, "b")) == []
    assert broken(*history, read(2.5, 5, "a")) == []
    assert broken(*history, read(4, 5, "a")) == [STALE]
    assert broken(*history, values={"name": "a"}) == [STALE]
    # of two writes at a time either may be the last
    assert broken(write(0, 2, "a"), write(1, 3, "b"), read(4, 5, "a")) == []


def test_write_of_unknown_outcome_may_come_late() -> None:
    history = (write(0, 1, "a", "unknown"), write(2, 3, "b"))
    assert broken(*history, read(4, 5, "a")) == []
    assert broken(*history, read(4, 5, "b")) == []


def test_refused_write_is_read() -> None:
    history = (write(0, 1, "a"), write(2, 3, "b", "refused"))
    assert broken(*history, values={"name": "a"}) == []
    assert broken(*history, values={"name": "b"}) == [REFUSED]


def denied(begin: float, end: float, value: str) -> Operation:
    return op(begin, end, denies={"name": value})


def test_acknowledged_value_is_denied() -> None:
    assert broken(write(0, 1, "a"), denied(2, 3, "a")) == [LOST]
    assert broken(write(0, 1, "a"), write(2, 3, "b"), denied(4, 5, "a")) == []
    assert broken(write(0, 1, "a"), write(2, 3, "b"), denied(4, 5, "b")) == [LOST]
    assert broken(write(0, 1, "a"), write(2, 9, "b", "unknown"), denied(4, 5, "a")) == []
    assert broken(write(0, 1, "a"), op(2, 3, ends=("user ada",)), denied(2, 5, "a")) == []
