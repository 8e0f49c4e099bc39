"""Mails: reset-password, verify-email and delete-account with their links, and notices of what was
done to an account; over SMTP or into a file.

A mail goes out in the background, so that the time of an answer does not tell whether there was
one to send; what fails is logged without its contents.
"""

import asyncio
import logging
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from html import escape
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

import aiosmtplib
import msgspec

from ..logs import RATE_LIMIT
from ..settings import MailSettings

Kind = Literal["reset-password", "verify-email", "delete-account"]
NoticeKind = Literal[
    "email-change-requested",
    "email-changed",
    "password-changed",
    "account-linked",
    "account-deleted",
]
_TIMEOUT: Final = 20.0
_STOP_TIMEOUT: Final = 5.0
_WAITING: Final = 1000
_MAX_CONNECTIONS: Final = 10
"""Connections to the mail server; many refuse more of one client."""
_MAX_PAUSE: Final = 1.0
_log = logging.getLogger("gatepost.mail")
_log.addFilter(RATE_LIMIT)

TEXTS: Final[dict[Kind, tuple[str, str, str]]] = {
    "reset-password": (
        "Reset your password",
        "Somebody, hopefully you, asked for a new password. The link is good for one hour.",
        "Choose a new password",
    ),
    "verify-email": (
        "Verify your email address",
        "Follow the link to show that this address is yours. It is good for one hour.",
        "Verify this address",
    ),
    "delete-account": (
        "Delete your account",
        "Somebody, hopefully you, asked to delete your account. The link is good for one day.",
        "Delete my account",
    ),
}
"""Subject, sentence and link of each kind. To translate the mails, replace the values."""

NOTICES: Final[dict[NoticeKind, tuple[str, str]]] = {
    "email-change-requested": (
        "A new email address for your account",
        "Somebody, hopefully you, asked to change the email address of your account. It changes "
        "when the link is followed that was sent to the new address. "
        "If it was not you, choose a new password now: that ends the link.",
    ),
    "email-changed": (
        "Your email address was changed",
        "Your account has a new email address, and mails no longer go to this one. "
        "If it was not you, tell those who run the service.",
    ),
    "password-changed": (
        "Your password was changed",
        "The password of your account was changed. "
        "If it was not you, ask for a new one now: that ends all sessions.",
    ),
    "account-linked": (
        "Another way to sign in to your account",
        "Whoever is signed in at {provider} with the account that was just linked can now sign in "
        "to yours. If it was not you, choose a new password and unlink that account.",
    ),
    "account-deleted": (
        "Your account was deleted",
        "Your account was deleted. If it was not you, tell those who run the service.",
    ),
}
"""Subject and sentence of each kind, which has no link; of a linked account with its provider."""


class Mail:
    """The way out for mails. ``possible`` is False when no way is configured."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._sending: set[asyncio.Task[None]] = set()
        self._connections = asyncio.Semaphore(_MAX_CONNECTIONS)
        self.possible: Final = settings.possible

    async def send(self, kind: Kind, email: str, user_id: str, url: str, token: str) -> None:
        """Hand a mail over. Returns before it is sent; a failure is in the log."""
        record = {"kind": kind, "email": email, "userId": user_id, "url": url, "token": token}
        self._hand_over(record, lambda: message(kind, email, url))

    async def notify(self, kind: NoticeKind, email: str, user_id: str, **values: str) -> None:
        """The same for a notice; ``values`` are what its sentence names. Where no mail can be sent
        there is none."""
        record = {"kind": kind, "email": email, "userId": user_id, **values}
        self._hand_over(record, lambda: notice(kind, email, **values))

    def _hand_over(self, record: dict[str, str], make: Callable[[], EmailMessage]) -> None:
        if len(self._sending) >= _WAITING:
            _log.error("a mail %s was dropped: %d are waiting", record["kind"], _WAITING)
            return
        task = asyncio.create_task(self._deliver(record, make))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """Let what is on its way arrive, for some seconds."""
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=_STOP_TIMEOUT)
            if late:
                _log.error("%d mails were not sent: the service stopped", len(late))

    async def _deliver(self, record: dict[str, str], make: Callable[[], EmailMessage]) -> None:
        kind = record["kind"]
        try:
            if self._settings.file is not None:
                _append(Path(self._settings.file), msgspec.json.encode(record) + b"\n")
            if self._settings.printed:
                line = f"Mail {kind} to {record['email']}: {record.get('url', 'a notice')}"
                print(line, flush=True)  # noqa: T201
            if self._settings.url is not None:
                # not at once: the next request would wait for it, and so tell that there was one
                await asyncio.sleep(random.uniform(0, _MAX_PAUSE))  # noqa: S311
                async with self._connections:
                    await self._transmit(make(), self._settings.url)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            _log.error("a mail %s was not sent: %s", kind, type(error).__name__)

    async def _transmit(self, mail: EmailMessage, server: str) -> None:
        parts = urlsplit(server)
        mail["From"] = self._settings.sender
        await aiosmtplib.send(
            mail,
            hostname=parts.hostname or "",
            port=parts.port or (465 if parts.scheme == "smtps" else 587),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            use_tls=parts.scheme == "smtps",
            timeout=_TIMEOUT,
        )


def message(kind: Kind, email: str, url: str) -> EmailMessage:
    """A mail of text and HTML."""
    subject, sentence, link = TEXTS[kind]
    mail = _headed(email, subject)
    mail.set_content(f"{sentence}\n\n{url}\n\nIf it was not you, do nothing.\n")
    mail.add_alternative(
        f"<p>{escape(sentence)}</p>\n"
        f'<p><a href="{escape(url)}">{escape(link)}</a></p>\n'
        "<p>If it was not you, do nothing.</p>\n",
        subtype="html",
    )
    return mail


def notice(kind: NoticeKind, email: str, **values: str) -> EmailMessage:
    """A mail of text."""
    subject, sentence = NOTICES[kind]
    mail = _headed(email, subject)
    mail.set_content(f"{sentence.format(**values)}\n")
    return mail


def _headed(email: str, subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["To"] = email
    mail["Subject"] = subject
    mail["Date"] = datetime.now(UTC)
    mail["Auto-Submitted"] = "auto-generated"
    return mail


def _append(path: Path, line: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    with os.fdopen(os.open(path, flags, 0o600), "ab") as file:  # it holds links that sign people in
        file.write(line)
