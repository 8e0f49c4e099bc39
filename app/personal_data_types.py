"""What an export and an erasure of a user's data give; app/auth/personal_data.py makes them.

The command line describes them without importing the auth API.
"""

from datetime import datetime
from uuid import UUID

import msgspec


class Link(msgspec.Struct, frozen=True):
    """A mailed link that has not been followed. Times are UTC."""

    kind: str
    """'' where only a hash of what it is for is kept."""
    created_at: datetime
    expires_at: datetime


class Limit(msgspec.Struct, frozen=True):
    """What is counted of a user; ``last`` is in UTC, and of a known address until when it is."""

    kind: str
    count: int
    last: datetime


class LeftOut(msgspec.Struct, frozen=True):
    """What an export does not show of a table: columns that are secret or not declared."""

    table: str
    columns: list[str]
    rows: int | None
    """How many it has of the user; None: the role of DATABASE_URL may not read the table."""


class Export(msgspec.Struct, frozen=True):
    """All that is kept of a user. Rows have the columns that are declared and no secret."""

    exported_at: datetime
    user: msgspec.Raw
    accounts: list[msgspec.Raw]
    sessions: list[msgspec.Raw]
    verifications: list[Link]
    rate_limits: list[Limit]
    events: list[msgspec.Raw]
    tables: dict[str, list[msgspec.Raw]]
    """Rows of every other table that refers to users, and of session_activity."""
    left_out: list[LeftOut]


class Receipt(msgspec.Struct, frozen=True):
    """That a user was erased. It holds neither id nor address."""

    id: UUID
    user_pseudonym: str
    email_pseudonym: str
    counts: dict[str, int | None]
    """Rows deleted, by table; None: not known, for the role may not read the table."""
    erased_at: datetime


class Erased(msgspec.Struct, frozen=True):
    """What an erasure did."""

    receipt: Receipt
    kept: dict[str, int | None]
    """Rows by table that only lost what led to the user (ON DELETE SET NULL or SET DEFAULT)."""
