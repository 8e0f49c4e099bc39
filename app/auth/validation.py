"""Bodies and queries checked field by field, with the messages Better Auth's clients know.

Every field is checked; the problems are joined by ``; ``. Unknown fields are left alone.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from ..errors import AuthError

Schema = Mapping[str, Any]
"""A JSON Schema."""


@dataclass(frozen=True, slots=True)
class Check:
    """What a field has to be: called with its path, such as ``body.email``, and its value.

    Gives what is wrong with it.
    """

    find: Callable[[str, Any], list[str]]
    schema: Schema
    """What it has to be, for the description of the API."""
    required: bool = True
    """Whether the field has to be there."""

    def __call__(self, path: str, value: Any) -> list[str]:
        return self.find(path, value)


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


def js_type(value: Any) -> str:
    """What JavaScript calls the type of a value."""
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


def typed(kind: str) -> Check:
    def check(path: str, value: Any) -> list[str]:
        if js_type(value) == kind or (kind == "record" and js_type(value) == "object"):
            return []
        return [f"[{path}] Invalid input: expected {kind}, received {js_type(value)}"]

    return Check(check, {"type": "object" if kind == "record" else kind})


def text(limit: int) -> Check:
    """A text of at most ``limit`` characters. One of any length never comes as far as a handler."""

    def check(path: str, value: Any) -> list[str]:
        if not isinstance(value, str):
            return [f"[{path}] Invalid input: expected string, received {js_type(value)}"]
        if len(value) > limit:
            return [f"[{path}] Too big: expected string to have <={limit} characters"]
        return []

    return Check(check, {"type": "string", "maxLength": limit})


string: Final = text(MAX_TEXT)
short_string: Final = text(MAX_SHORT_TEXT)
long_string: Final = text(MAX_LONG_TEXT)
boolean: Final = typed("boolean")
record: Final = typed("record")
_array: Final = typed("array")
_object: Final = typed("object")


def _non_empty(path: str, value: Any) -> list[str]:
    if value == "":
        return [f"[{path}] Too small: expected string to have >=1 characters"]
    short = value == []
    return string(path, value) + (
        [f"[{path}] Too small: expected array to have >=1 items"] if short else []
    )


non_empty_string: Final = Check(_non_empty, {**string.schema, "minLength": 1})


def _email(path: str, value: Any) -> list[str]:
    wrong = string(path, value)
    return wrong or ([] if is_email(value) else [f"[{path}] Invalid email address"])


email: Final = Check(_email, {"type": "string", "format": "email", "maxLength": MAX_EMAIL})


def optional(check: Check) -> Check:
    def find(path: str, value: Any) -> list[str]:
        return [] if value is UNDEFINED else check.find(path, value)

    return replace(check, find=find, required=False)


def nullable(check: Check) -> Check:
    def find(path: str, value: Any) -> list[str]:
        return [] if value is None else check.find(path, value)

    return replace(
        check, find=find, schema={**check.schema, "type": [check.schema["type"], "null"]}
    )


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

    schema: dict[str, Any] = {
        "type": "object",
        "properties": {name: field.schema for name, field in checks.items()},
    }
    if required := [name for name, field in checks.items() if field.required]:
        schema["required"] = required
    return Check(check, schema)


def both(one: Check, other: Check) -> Check:
    def find(path: str, value: Any) -> list[str]:
        return one.find(path, value) + other.find(path, value)

    return Check(find, {**other.schema, **one.schema})


def raise_if_invalid(found: Sequence[str]) -> None:
    """Raises AuthError 400 when there are problems."""
    if found:
        raise AuthError(400, "VALIDATION_ERROR", "; ".join(found))


def _check_texts(path: str, value: Any) -> list[str]:
    wrong = _array(path, value)
    if wrong:
        return wrong
    wrong = (text for n, item in enumerate(value) for text in string(f"{path}.{n}", item))
    return list(islice(wrong, _MOST))


def _check_parameters(path: str, value: Any) -> list[str]:
    wrong = record(path, value)
    if wrong:
        return wrong
    wrong = [text for name, item in value.items() for text in string(f"{path}.{name}", item)]
    if not wrong and any(name in value for name in _RESERVED):
        names = ", ".join(_RESERVED)
        wrong = [f"[{path}] additionalParams cannot include reserved OAuth parameters: {names}"]
    return wrong[:_MOST]


_RESERVED: Final = (
    "state", "client_id", "redirect_uri", "response_type", "code_challenge",
    "code_challenge_method", "nonce", "scope",
)  # fmt: skip
"""Parameters of an authorization address that a client cannot set."""
_parameters: Final = Check(
    _check_parameters, {"type": "object", "additionalProperties": string.schema}
)
_texts: Final = Check(_check_texts, {"type": "array", "items": string.schema})
_provider_name: Final = Check(
    lambda path, value: [] if isinstance(value, str) else [f"[{path}] Invalid input"],
    {"type": "string"},
)


_person: Final = fields(
    {
        "name": optional(
            fields({"firstName": optional(short_string), "lastName": optional(short_string)})
        ),
        "email": optional(string),
    }
)
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
                    "expiresAt": optional(typed("number")),
                    "user": optional(_person),
                }
            )
        ),
        "scopes": optional(_texts),
        "requestSignUp": optional(boolean),
        "loginHint": optional(string),
        "additionalParams": optional(_parameters),
        "additionalData": optional(record),
    }
)
"""The body of the endpoints that begin a sign-in with a provider."""


def _select_account(path: str, value: Any) -> list[str]:
    if (
        js_type(value) == "object"
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


account_selector: Final = Check(
    _select_account,
    {
        "type": "object",
        "properties": {
            "accountId": {"type": "string"},
            "useAccountCookie": {"const": True},
            "userId": {"type": "string"},
        },
        "additionalProperties": False,
        "oneOf": [{"required": ["accountId"]}, {"required": ["useAccountCookie"]}],
    },
)
"""Which account is meant: ``{accountId, userId?}`` or ``{useAccountCookie: true, userId?}``."""
