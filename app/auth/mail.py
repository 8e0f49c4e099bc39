"""Mails: reset-password, verify-email and delete-account, over SMTP or into a file.

A mail goes out in the background, so that the time of an answer does not tell whether there was
one to send; what fails is logged without its contents.
"""

import asyncio
import logging
import random
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
_MAX_PAUSE: Final = 1.0
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
        if len(self._sending) >= _WAITING:
            _log.error("a mail %s was dropped: %d are waiting", kind, _WAITING)
            return
        task = asyncio.create_task(self._deliver(kind, email, user_id, url, token))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def close(self) -> None:
        """Let what is on its way arrive, within the deadline of a mail."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=_TIMEOUT)

    async def _deliver(self, kind: Kind, email: str, user_id: str, url: str, token: str) -> None:
        try:
            if self._settings.file is not None:
                record = {
                    "kind": kind, "email": email, "userId": user_id, "url": url, "token": token,
                }  # fmt: skip
                _append(Path(self._settings.file), msgspec.json.encode(record) + b"\n")
            if self._settings.printed:
                print(f"Mail {kind} to {email}: {url}", flush=True)  # noqa: T201
            if self._settings.url is not None:
                # not at once: the next request would wait for it, and so tell that there was one
                await asyncio.sleep(random.uniform(0, _MAX_PAUSE))  # noqa: S311
                await self._transmit(message(kind, email, url), self._settings.url)
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
    with path.open("ab") as file:
        file.write(line)
