"""Bodies and queries checked field by field, with the messages Better Auth's clients know.

Every field is checked; the problems are joined by ``; ``. Unknown fields are left alone.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from app.errors import AuthError

Check = Callable[[str, Any], list[str]]
"""From the path of a field, such as ``body.email``, and its value to what is wrong with it."""

_MOST: Final = 20
"""Items of a list that are named as wrong."""
UNDEFINED: Final = object()
"""What is not there, which null is not."""

MAX_SHORT_TEXT: Final = 1000  # a name
MAX_EMAIL: Final = 254  # of an address that SMTP carries (RFC 5321)
MAX_TEXT: Final = 4096
MAX_LONG_TEXT: Final = 32_768  # a picture as a data: address, a provider's token

_EMAIL: Final = re.compile(
    r"(?!\.)(?!.*\.\.)[A-Za-z0-9_'+.-]*[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z]{2,}",
    re.ASCII,
)


def is_email(text: str) -> bool:
    return len(text) <= MAX_EMAIL and _EMAIL.fullmatch(text) is not None


def _kind(value: Any) -> str:
    if value is UNDEFINED:
        return "undefined"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float):
        return "number"
    return "array" if isinstance(value, list) else "object"


def _typed(kind: str) -> Check:
    def check(path: str, value: Any) -> list[str]:
        if _kind(value) == kind or (kind == "record" and _kind(value) == "object"):
            return []
        return [f"[{path}] Invalid input: expected {kind}, received {_kind(value)}"]

    return check


def text(limit: int) -> Check:
    """A text of at most ``limit`` characters. One of any length never comes as far as a handler."""

    def check(path: str, value: Any) -> list[str]:
        if not isinstance(value, str):
            return [f"[{path}] Invalid input: expected string, received {_kind(value)}"]
        if len(value) > limit:
            return [f"[{path}] Too big: expected string to have <={limit} characters"]
        return []

    return check


string: Final = text(MAX_TEXT)
short_string: Final = text(MAX_SHORT_TEXT)
long_string: Final = text(MAX_LONG_TEXT)
boolean: Final = _typed("boolean")
record: Final = _typed("record")
_object: Final = _typed("object")


def non_empty_string(path: str, value: Any) -> list[str]:
    if value == "":
        return [f"[{path}] Too small: expected string to have >=1 characters"]
    short = value == []
    return string(path, value) + (
        [f"[{path}] Too small: expected array to have >=1 items"] if short else []
    )


def email(path: str, value: Any) -> list[str]:
    wrong = string(path, value)
    return wrong or ([] if is_email(value) else [f"[{path}] Invalid email address"])


def optional(check: Check) -> Check:
    return lambda path, value: [] if value is UNDEFINED else check(path, value)


def nullable(check: Check) -> Check:
    return lambda path, value: [] if value is None else check(path, value)


def fields(checks: Mapping[str, Check]) -> Check:
    """An object with these fields; others are left alone."""

    def check(path: str, value: Any) -> list[str]:
        wrong = _object(path, value)
        if wrong:
            return wrong
        found = []
        for name, field in checks.items():
            found += field(f"{path}.{name}", value.get(name, UNDEFINED))
        return found

    return check


def both(one: Check, other: Check) -> Check:
    return lambda path, value: one(path, value) + other(path, value)


def raise_if_invalid(found: Sequence[str]) -> None:
    """Raises AuthError 400 when there are problems."""
    if found:
        raise AuthError(400, "VALIDATION_ERROR", "; ".join(found))


def _texts(path: str, value: Any) -> list[str]:
    wrong = _typed("array")(path, value)
    if wrong:
        return wrong
    wrong = (text for n, item in enumerate(value) for text in string(f"{path}.{n}", item))
    return list(islice(wrong, _MOST))


def _provider_name(path: str, value: Any) -> list[str]:
    return [] if isinstance(value, str) else [f"[{path}] Invalid input"]


provider: Final = fields(
    {
        "callbackURL": optional(string),
        "newUserCallbackURL": optional(string),
        "errorCallbackURL": optional(string),
        "provider": _provider_name,
        "disableRedirect": optional(boolean),
        "idToken": optional(
            fields(
                {
                    "token": long_string,
                    "nonce": optional(string),
                    "accessToken": optional(long_string),
                    "refreshToken": optional(long_string),
                    "expiresAt": optional(_typed("number")),
                }
            )
        ),
        "scopes": optional(_texts),
        "requestSignUp": optional(boolean),
        "loginHint": optional(string),
        "additionalParams": optional(record),
        "additionalData": optional(record),
    }
)
"""The body of the endpoints that begin a sign-in with a provider."""


def account_selector(path: str, value: Any) -> list[str]:
    """Which account is meant: ``{accountId, userId?}`` or ``{useAccountCookie: true, userId?}``."""
    if (
        _kind(value) == "object"
        and isinstance(value.get("userId", ""), str)
        and not {"accountId", "useAccountCookie"} <= set(value)
    ):
        for name, good in (
            ("accountId", isinstance(value.get("accountId"), str)),
            ("useAccountCookie", value.get("useAccountCookie") is True),
        ):
            if good:
                unknown = [f'"{key}"' for key in value if key not in (name, "userId")]
                word = "key" if len(unknown) == 1 else "keys"
                return [f"[{path}] Unrecognized {word}: {', '.join(unknown)}"] if unknown else []
    return [f"[{path}] Invalid input"]
