"""The mails in MAIL_FILE, as those would see them to whom they were sent."""

import os
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from ..auth.mail import NOTICES, TEXTS, Kind, NoticeKind

_MOST: Final = 10
_TAIL: Final = 64 * 1024
"""Bytes of the file that are read: its end, where the newest are."""


class _Line(msgspec.Struct):
    kind: str
    email: str
    url: str | None = None


_decode: Final = msgspec.json.Decoder(_Line).decode


def newest(path: Path) -> list[dict[str, Any]]:
    """The last mails, newest first: ``subject``, ``to``, ``text``; ``link`` and ``url`` or None.

    What is no line of a mail is left out.
    """
    mails: list[dict[str, Any]] = []
    for line in reversed(_last_lines(path)):
        try:
            mails.append(_shown(_decode(line)))
        except msgspec.MsgspecError:
            continue
        if len(mails) == _MOST:
            break
    return mails


def _last_lines(path: Path) -> list[bytes]:
    if not path.is_file():  # there was no mail yet, or it is a terminal or a pipe
        return []
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - _TAIL)
        file.seek(start)
        lines = file.read().splitlines()
    return lines[1:] if start else lines  # the first one may have lost its beginning


def _shown(mail: _Line) -> dict[str, Any]:
    shown: dict[str, Any] = {"to": mail.email, "link": None, "url": None}
    if mail.kind in TEXTS:
        subject, text, link = TEXTS[cast("Kind", mail.kind)]
        return shown | {"subject": subject, "text": text, "link": link, "url": mail.url}
    subject, text = NOTICES.get(cast("NoticeKind", mail.kind), (mail.kind, ""))
    return shown | {"subject": subject, "text": text, "link": mail.url, "url": mail.url}
