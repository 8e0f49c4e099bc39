"""Raw profiles read with care: whatever a provider sends becomes a profile that the tables hold,
or UserInfoError."""

from collections.abc import Mapping
from typing import Any, Final

from ..validation import MAX_LONG_TEXT, MAX_SHORT_TEXT, is_email
from .provider import Profile, RawProfile, UserInfoError

_MAX_SUBJECT: Final = 1000  # bytes, which the index has room for
_MAX_DEPTH: Final = 20
_NO_SUBJECTS: Final = ("", "undefined", "null")


def checked(raw: Any) -> RawProfile:
    """An object of which every text can be stored. Raises UserInfoError."""
    if not isinstance(raw, dict):
        raise UserInfoError("the profile is not an object")
    _check(raw, 0)
    return raw


def _check(value: Any, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise UserInfoError("the profile is nested too deeply")
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise UserInfoError("the profile holds a character that no text may have")
    elif isinstance(value, dict):
        for name, item in value.items():
            _check(name, depth)
            _check(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, depth + 1)


def profile(
    raw: RawProfile,
    *,
    subject: Any,
    name: Any = None,
    email: Any = None,
    verified: Any = False,
    image: Any = None,
) -> Profile:
    """A profile of values as they came. Raises UserInfoError without a subject."""
    # others become letters of ASCII in small: a Kelvin sign k, and so another mailbox
    address = email.lower() if isinstance(email, str) and email.isascii() else ""
    named = is_email(address)
    return Profile(
        subject=_subject(subject),
        name=name[:MAX_SHORT_TEXT] if isinstance(name, str) else "",
        email=address if named else None,
        email_verified=named and (verified is True or verified == "true"),
        image=image if isinstance(image, str) and 0 < len(image) <= MAX_LONG_TEXT else None,
        raw=raw,
    )


def member(raw: Any, *path: str | int) -> Any:
    """What is at a path of names and positions; None where there is nothing."""
    for step in path:
        if isinstance(raw, Mapping):
            raw = raw.get(step)
        elif isinstance(raw, list) and isinstance(step, int) and step < len(raw):
            raw = raw[step]
        else:
            return None
    return raw


def openid_profile(raw: RawProfile) -> Profile:
    """The standard claims (OpenID Connect Core §5.1)."""
    return profile(
        raw,
        subject=raw.get("sub"),
        name=raw.get("name"),
        email=raw.get("email"),
        verified=raw.get("email_verified"),
        image=raw.get("picture"),
    )


def _subject(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 2**63 else ""
    if not isinstance(value, str) or value.strip() in _NO_SUBJECTS:
        raise UserInfoError("the profile has no subject")
    if len(value.encode()) > _MAX_SUBJECT:
        raise UserInfoError("the subject is too long")
    return value
