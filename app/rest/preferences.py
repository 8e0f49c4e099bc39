"""The Prefer header. Source: PostgREST 14, "Preferences"; RFC 7240."""

import re
from dataclasses import dataclass
from typing import Final

from ..errors import RestError

WORDS: Final = {
    "resolution": frozenset(("merge-duplicates", "ignore-duplicates")),
    "return": frozenset(("minimal", "headers-only", "representation")),
    "count": frozenset(("exact", "planned", "estimated")),
    "missing": frozenset(("default", "null")),
    "tx": frozenset(("commit", "rollback")),
    "handling": frozenset(("strict", "lenient")),
}
"""The preferences that are a choice, with their values; `max-affected` has a number."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the client prefers; None where it says nothing."""

    resolution: str | None = None
    returns: str | None = None
    count: str | None = None
    missing: str | None = None
    tx: str | None = None
    handling: str | None = None
    max_affected: int | None = None

    @property
    def applied(self) -> str:
        """The Preference-Applied header, without what had no effect."""
        pairs = (
            ("resolution", self.resolution),
            ("missing", self.missing),
            ("return", self.returns),
            ("count", self.count),
            ("tx", self.tx),
            ("handling", self.handling),
            ("max-affected", self.max_affected if self.handling == "strict" else None),
        )
        return ", ".join(f"{name}={value}" for name, value in pairs if value is not None)


def parse(header: str) -> Preferences:
    """The first of two contrary preferences holds. Unknown ones are an error (PGRST122) when
    handling is strict, and nothing otherwise."""
    found: dict[str, str] = {}
    unknown: list[str] = []
    for part in header.split(","):
        preference = part.strip()
        name, _, value = (piece.strip() for piece in preference.partition("="))
        allowed = WORDS.get(name.lower())
        if not preference:
            continue
        if (allowed and value in allowed) or (
            name.lower() == "max-affected" and re.fullmatch(r"[0-9]{1,15}", value)
        ):
            found.setdefault(name.lower(), value)
        else:
            unknown.append(preference)
    if unknown and found.get("handling") == "strict":
        raise RestError(
            400,
            "PGRST122",
            "Invalid preferences given with handling=strict",
            f"Invalid preferences: {', '.join(unknown):.200}",
        )
    return Preferences(
        found.get("resolution"),
        found.get("return"),
        found.get("count"),
        found.get("missing"),
        found.get("tx"),
        found.get("handling"),
        int(found["max-affected"]) if "max-affected" in found else None,
    )
