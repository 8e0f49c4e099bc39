"""What a start says of its settings: what is off, and what cannot work as they are.

A wrong value has stopped it before (app/settings). What may be meant so is a warning.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from .errors import SettingsError
from .settings import AuthSettings, Settings


class Notice(NamedTuple):
    """What is so, and what to do if it is not meant."""

    text: str
    step: str

    def __str__(self) -> str:
        return f"{self.text}: {self.step}"


_AUTH_OFF = Notice(
    "the auth API is off",
    "set GATEPOST_SECRET (the output of: openssl rand -hex 32) and GATEPOST_BASE_URL",
)
_REST_OFF = Notice(
    "the REST API refuses every request, for there are no service keys",
    "set GATEPOST_SERVICE_KEYS or GATEPOST_SERVICE_KEYS_FILE",
)


def settings_to_serve(environment: Mapping[str, str]) -> Settings:
    """The settings of a service. Raises SettingsError, also when neither of its APIs is on."""
    settings = Settings.from_environment(environment)
    if settings.auth is None and not _has_keys(settings):
        raise SettingsError(
            "nothing to serve: set GATEPOST_SECRET and GATEPOST_BASE_URL for the auth API, "
            "or GATEPOST_SERVICE_KEYS for the REST API"
        )
    return settings


def notices(settings: Settings) -> Iterator[Notice]:
    """What the settings leave off or make impossible."""
    if settings.auth is None:
        yield _AUTH_OFF
    elif unsent := _unsent(settings.auth):
        yield Notice(
            f"no mail can be sent, which {' and '.join(unsent)} would need",
            "set MAIL_URL and MAIL_FROM",
        )
    if not _has_keys(settings):
        yield _REST_OFF


def _has_keys(settings: Settings) -> bool:
    return bool(settings.service_keys or settings.service_keys_file)


def _unsent(auth: AuthSettings) -> list[str]:
    """The settings that are on and need mail, which there is none of."""
    if auth.mail.possible:
        return []
    needing = {
        "GATEPOST_REQUIRE_EMAIL_VERIFICATION": auth.require_email_verification,
        "GATEPOST_SEND_VERIFICATION_ON_SIGN_UP": auth.send_verification_on_sign_up
        and not auth.require_email_verification,  # which it follows
        "GATEPOST_CHANGE_EMAIL": auth.change_email and not auth.change_email_without_verification,
    }
    return [name for name, on in needing.items() if on]
