"""The rules that a recorded history has to keep, whatever was broken meanwhile.

Times are of one clock, in seconds. An answer that never came, or that was a 5xx, is ``unknown``: it
may have been done, at any time after it began. What outlives the run only: nothing expires in it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final, Literal

import msgspec

Outcome = Literal["ok", "refused", "unknown"]

REVOKED: Final = "what was ended is there again"
LOST: Final = "what was acknowledged is lost"
BACK: Final = "expires_at went back"
TWICE: Final = "written more than once"
REFUSED: Final = "refused, and done all the same"
STALE: Final = "a value that had been replaced"


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """What a client did, and what the answer said.

    Items are sessions, users and rows by a name of their own, values are those of registers such
    as a user's name; no value is written twice to a register.
    """

    kind: str
    begin: float
    end: float
    outcome: Outcome
    user: str = ""
    """Whose items it creates, or ends with ``ends_others``."""
    creates: tuple[str, ...] = ()
    ends: tuple[str, ...] = ()
    """A user that ends takes all its sessions along."""
    ends_others: tuple[str, ...] | None = None
    """Ends every session of ``user`` but these."""
    sees: dict[str, float] = {}
    """Items that the answer showed, with their expiry; 0 for one that has none."""
    misses: tuple[str, ...] = ()
    """Items that the answer showed to be gone."""
    writes: dict[str, str] = {}
    reads: dict[str, str] = {}
    denies: dict[str, str] = {}
    """Values that the registers turned out not to have."""


class FinalState(msgspec.Struct, frozen=True):
    """What the database holds when everything has ended."""

    items: dict[str, list[float]]
    """The expiry of each row of an item."""
    values: dict[str, str]


@dataclass(frozen=True)
class Violation:
    """A rule that was broken, and the operations that show it, in the order they began."""

    rule: str
    subject: str
    operations: tuple[Operation, ...]

    def __str__(self) -> str:
        lines = [f"{self.rule}: {self.subject}"]
        for one in sorted(self.operations, key=lambda operation: operation.begin):
            times = f"{one.begin:.4f} to {one.end:.4f}"
            lines.append(f"    {one.kind} by {one.user or '-'} {one.outcome}, {times}")
        return "\n".join(lines)


@dataclass
class _Item:
    name: str
    creation: Operation | None = None
    sights: list[Operation] = field(default_factory=list)
    absences: list[Operation] = field(default_factory=list)


def check(history: Sequence[Operation], final: FinalState) -> list[Violation]:
    """Every violation, at most one of each rule for each item or register and observation."""
    last = max((one.end for one in history), default=0.0)
    known = {name for one in history for name in one.creates}
    after = Operation(
        kind="the final look",
        begin=last + 1e-9,
        end=last + 1.0,
        outcome="ok",
        sees={name: max(rows) for name, rows in final.items.items()},
        misses=tuple(known - final.items.keys()),
        reads=final.values,
    )
    everything = [*history, after]
    return [*_check_items(everything, final.items), *_check_registers(everything)]


def _check_items(
    history: Sequence[Operation], rows: Mapping[str, list[float]]
) -> Iterable[Violation]:
    items: dict[str, _Item] = {}
    endings: defaultdict[str, list[Operation]] = defaultdict(list)
    sweeps: defaultdict[str, list[Operation]] = defaultdict(list)
    for one in history:
        for name in one.creates:
            items.setdefault(name, _Item(name)).creation = one
        for name in one.sees:
            items.setdefault(name, _Item(name)).sights.append(one)
        for name in one.misses:
            items.setdefault(name, _Item(name)).absences.append(one)
        if one.outcome != "refused":
            for name in one.ends:
                endings[name].append(one)
            if one.ends_others is not None or f"user {one.user}" in one.ends:
                sweeps[one.user].append(one)
    for item in items.values():
        if item.creation is not None:  # or it was there before, or is of an unknown outcome
            yield from _check_item(item, endings[item.name], sweeps[item.creation.user])
            if len(rows.get(item.name, ())) > 1:
                yield Violation(TWICE, item.name, (item.creation,))


def _check_item(
    item: _Item, endings: Sequence[Operation], sweeps: Sequence[Operation]
) -> Iterable[Violation]:
    creation = item.creation
    assert creation is not None
    if creation.outcome == "refused":
        if item.sights:
            yield Violation(REFUSED, item.name, (creation, item.sights[0]))
        return
    proofs = [one.end for one in item.sights]
    if creation.outcome == "ok":
        proofs.append(creation.end)
    there_since = min(proofs, default=None)
    if there_since is None:
        return

    possible, certain = list(endings), [one for one in endings if one.outcome == "ok"]
    session = item.name.startswith("session ")
    for sweep in sweeps if session else ():
        if f"user {sweep.user}" in sweep.ends:
            possible.append(sweep)
            certain += [sweep] if sweep.outcome == "ok" else []
        elif item.name not in (sweep.ends_others or ()) and creation.begin < sweep.end:
            possible.append(sweep)
            if sweep.outcome == "ok" and there_since < sweep.begin:
                certain.append(sweep)
    absences = [one for one in item.absences if one.begin > there_since]

    if gone := min([*certain, *absences], key=lambda one: one.end, default=None):
        yield from _first(
            REVOKED, item.name, gone, (one for one in item.sights if one.begin > gone.end)
        )
    unexplained = (
        one for one in absences if not any(ending.begin < one.end for ending in possible)
    )
    yield from _first(LOST, item.name, creation, unexplained)

    by_end = sorted(item.sights, key=lambda one: one.end)
    highest = list(accumulate((one.sees[item.name] for one in by_end), max))
    before = 0
    for one in sorted(item.sights, key=lambda one: one.begin):
        while by_end[before].end < one.begin:
            before += 1
        if before and one.sees[item.name] < highest[before - 1]:
            earlier = next(x for x in by_end if x.sees[item.name] == highest[before - 1])
            yield Violation(BACK, item.name, (earlier, one))
            break


def _first(
    rule: str, name: str, cause: Operation, found: Iterable[Operation]
) -> Iterable[Violation]:
    for one in found:
        yield Violation(rule, name, (cause, one))
        break


def _check_registers(history: Sequence[Operation]) -> Iterable[Violation]:
    writers: defaultdict[str, list[Operation]] = defaultdict(list)
    for one in history:
        for register in one.writes:
            writers[register].append(one)
    ended = {name: one for one in history if one.outcome != "refused" for name in one.ends}
    for one in history:
        for register, value in one.reads.items():
            yield from _check_read(register, value, one, writers[register])
        for register, value in one.denies.items():
            deletion = ended.get(f"user {one.user}")
            if deletion is None or deletion.begin > one.end:
                yield from _check_denial(register, value, one, writers[register])


def _check_read(
    register: str, value: str, read: Operation, writers: Sequence[Operation]
) -> Iterable[Violation]:
    writer = next((one for one in writers if one.writes[register] == value), None)
    if writer is None:
        return  # from before the history
    if writer.outcome == "refused":
        yield Violation(REFUSED, f"{register} = {value}", (writer, read))
    elif writer.outcome == "ok":  # an unknown one may have come at any time
        for other in writers:
            if other.outcome == "ok" and writer.end < other.begin and other.end < read.begin:
                yield Violation(STALE, f"{register} = {value}", (writer, other, read))
                break


def _check_denial(
    register: str, value: str, read: Operation, writers: Sequence[Operation]
) -> Iterable[Violation]:
    """A value that was acknowledged before, and that nothing can have replaced, is denied."""
    writer = next((one for one in writers if one.writes[register] == value), None)
    if writer is None or writer.outcome != "ok" or writer.end > read.begin:
        return
    others = (one for one in writers if one is not writer and one.outcome != "refused")
    if all(
        one.begin > read.end or (one.outcome == "ok" and one.end < writer.begin) for one in others
    ):
        yield Violation(LOST, f"{register} = {value}", (writer, read))
