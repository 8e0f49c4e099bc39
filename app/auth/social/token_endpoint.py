"""What a token endpoint is asked, and what it answers (RFC 6749 §4.1.3, §5, §6)."""

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import quote_plus

from ...outgoing.client import Answer, OutgoingError
from ...settings import ProviderSettings
from ..context import utc_now
from .provider import Tokens

_MAX_TOKEN: Final = 65_536
_MAX_SCOPE: Final = 16_384
_MAX_SECONDS: Final = 10 * 365 * 86_400


def authenticated(
    settings: ProviderSettings, method: Literal["basic", "post"], form: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """A form with the client's name and secret, and the headers that go with it."""
    client_id, secret = settings.client_ids[0], settings.client_secret
    if secret is None:
        return {**form, "client_id": client_id}, {}
    if method == "basic":
        pair = f"{_form_encoded(client_id)}:{_form_encoded(secret)}"
        return dict(form), {"authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    return {**form, "client_id": client_id, "client_secret": secret}, {}


def _form_encoded(text: str) -> str:
    """As the URL standard serializes a form, which quote_plus does not for these two."""
    return quote_plus(text, safe="*").replace("~", "%7E")


def tokens_of(answer: Answer) -> Tokens:
    """The tokens of an answer, which may be none. Raises OutgoingError."""
    if not answer.is_success:
        raise OutgoingError(f"HTTP {answer.status} {error_code(answer) or ''}".rstrip())
    found = answer.json()
    if not isinstance(found, dict):
        raise OutgoingError("the answer is not an object")
    if found.get("error"):  # some send it with 200
        raise OutgoingError(f"an error {error_code(answer) or ''}".rstrip())
    return Tokens(
        access_token=_token(found, "access_token"),
        refresh_token=_token(found, "refresh_token"),
        id_token=_token(found, "id_token"),
        access_token_expires_at=_time(found.get("expires_in")),
        refresh_token_expires_at=_time(found.get("refresh_token_expires_in")),
        scopes=_scopes(found.get("scope")),
    )


def error_code(answer: Answer) -> str | None:
    """The error code of RFC 6749 §5.2, when it is one: for the log."""
    try:
        found = answer.json()
    except OutgoingError:
        return None
    code = found.get("error") if isinstance(found, dict) else None
    return code if isinstance(code, str) and re.fullmatch("[a-z_]{1,40}", code) else None


def _token(found: Mapping[str, Any], name: str) -> str | None:
    value = found.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise OutgoingError(f"{name} is not a token")
    if len(value) > _MAX_TOKEN:
        raise OutgoingError(f"{name} is longer than 64 KiB")
    return value


def _time(seconds: Any) -> datetime | None:
    """When some seconds are over, which a few providers send as a text."""
    if isinstance(seconds, str) and re.fullmatch("[0-9]{1,12}", seconds):
        seconds = int(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return utc_now() + timedelta(seconds=seconds) if 0 <= seconds <= _MAX_SECONDS else None


def _scopes(value: Any) -> tuple[str, ...]:
    """Those of a text or a list, as far as the column has room for them."""
    texts = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    scopes: list[str] = []
    room = _MAX_SCOPE
    for text in texts:
        for scope in text.split() if isinstance(text, str) else ():
            room -= len(scope) + 1
            if room < 0 or not scope.isascii() or not scope.isprintable():
                return tuple(scopes)
            scopes.append(scope)
    return tuple(scopes)
