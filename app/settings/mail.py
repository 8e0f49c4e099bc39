"""The settings of mail."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import SettingsError
from .environment import BOOLEAN, SMTP_URL, read, setting, text


@dataclass(frozen=True, kw_only=True)
class MailSettings:
    """Mail. The auth API sends none unless ``MAIL_URL``, ``MAIL_FILE`` or ``MAIL_PRINT`` is set."""

    # fmt: off
    url: str | None = setting("MAIL_URL", SMTP_URL, default=None, secret=True,
        doc="The mail server: `smtp` uses STARTTLS when offered, `smtps` (port 465) always TLS.")
    sender: str = setting(
        "MAIL_FROM", text("a mail address", r"[^@\r\n]+@[^@\r\n]+"),
        default="Gatepost <no-reply@localhost>",
        doc="The sender; required with `MAIL_URL`.")
    file: str | None = setting("MAIL_FILE", text("a path"), default=None,
        doc="A file that gets each mail as a line of JSON: kind, email, userId, url, token.")
    printed: bool = setting("MAIL_PRINT", BOOLEAN, default=False,
        doc="Print the link of each mail on standard output, for development.")
    # fmt: on

    @property
    def possible(self) -> bool:
        return self.url is not None or self.file is not None or self.printed

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "MailSettings":
        values = read(cls, environment)
        if "url" in values and "sender" not in values:
            raise SettingsError("MAIL_FROM is not set: mails need a sender")
        return cls(**values)
