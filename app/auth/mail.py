"""Mails: reset-password, verify-email and delete-account, over SMTP or into a file.

A mail goes out in the background, so that the time of an answer does not tell whether there was
one to send; what fails is logged without its contents.
"""

import asyncio
import logging
import os
from datetime import UTC, datetime
from email.message import EmailMessage
from html import escape
from pathlib import Path
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

import aiosmtplib
import msgspec

from app.settings import MailSettings

Kind = Literal["reset-password", "verify-email", "delete-account"]
_TIMEOUT: Final = 20.0
_WAITING: Final = 1000
_log = logging.getLogger("gatepost.mail")

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


class Mail:
    """The way out for mails. ``possible`` is False when no way is configured."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._sending: set[asyncio.Task[None]] = set()
        self.possible: Final = settings.possible

    async def send(self, kind: Kind, email: str, user_id: str, url: str, token: str) -> None:
        """Hand a mail over. Returns before it is sent; a failure is in the log."""
        if self._settings.file is not None:
            record = {"kind": kind, "email": email, "userId": user_id, "url": url, "token": token}
            _append(Path(self._settings.file), msgspec.json.encode(record) + b"\n")
        if self._settings.printed:
            print(f"Mail {kind} to {email}: {url}", flush=True)  # noqa: T201
        if self._settings.url is not None:
            if len(self._sending) >= _WAITING:
                _log.error("a mail %s was dropped: %d are waiting", kind, _WAITING)
                return
            task = asyncio.create_task(self._deliver(kind, message(kind, email, url)))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """Let what is on its way arrive, within the deadline of a mail."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=_TIMEOUT)

    async def _deliver(self, kind: Kind, mail: EmailMessage) -> None:
        parts = urlsplit(self._settings.url or "")
        mail["From"] = self._settings.sender
        try:
            await aiosmtplib.send(
                mail,
                hostname=parts.hostname or "",
                port=parts.port or (465 if parts.scheme == "smtps" else 587),
                username=unquote(parts.username) if parts.username else None,
                password=unquote(parts.password) if parts.password else None,
                use_tls=parts.scheme == "smtps",
                timeout=_TIMEOUT,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            _log.error("a mail %s was not sent: %s", kind, type(error).__name__)


def message(kind: Kind, email: str, url: str) -> EmailMessage:
    """A mail of text and HTML."""
    subject, sentence, link = TEXTS[kind]
    mail = EmailMessage()
    mail["To"] = email
    mail["Subject"] = subject
    mail["Date"] = datetime.now(UTC)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{sentence}\n\n{url}\n\nIf it was not you, do nothing.\n")
    mail.add_alternative(
        f"<p>{escape(sentence)}</p>\n"
        f'<p><a href="{escape(url)}">{escape(link)}</a></p>\n'
        "<p>If it was not you, do nothing.</p>\n",
        subtype="html",
    )
    return mail


def _append(path: Path, line: bytes) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    with os.fdopen(os.open(path, flags, 0o600), "ab") as file:  # it holds links that sign people in
        file.write(line)
