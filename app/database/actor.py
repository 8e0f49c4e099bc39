"""Who writes, for the events that the database's triggers record."""

from uuid import UUID

import msgspec


class Actor(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who a request is from, as far as it is known. Its names are those that the triggers read."""

    user: UUID | None = None
    impersonator: UUID | None = None
    """The administrator who acts as ``user``."""
    key: str | None = None
    """The name of the service key."""
    ip: str | None = None
    request: str | None = None

    @property
    def text(self) -> str:
        """As the setting ``gatepost.actor`` has it: JSON."""
        return msgspec.json.encode(self).decode()
