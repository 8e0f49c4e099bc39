"""What is asked of both servers; importing this fills the list of scenarios."""

from tests.interop.auth.scenarios import (
    accounts,
    cookies,
    mails,
    origins,
    passwords,
    sessions,
    settings,
    signing,
    transport,
    users,
    validation,
)

__all__ = [
    "accounts",
    "cookies",
    "mails",
    "origins",
    "passwords",
    "sessions",
    "settings",
    "signing",
    "transport",
    "users",
    "validation",
]
