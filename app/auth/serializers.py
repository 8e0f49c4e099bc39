"""Rows as the protocol sends them: camelCase, times with three digits and Z."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec

from ..relation import AdditionalField, ColumnType
from ..schema import Session, User
from ..statements.accounts import PublicAccount
from . import answers

_encode: Final = msgspec.json.Encoder().encode  # a quarter of what isoformat takes


def timestamp(value: datetime) -> str:
    """ISO 8601 with milliseconds of a time in UTC; the rest is cut off, as the Node driver does."""
    text = _encode(value).decode()  # "2026-01-01T00:00:00.123456Z" with its quotes
    return f"{text[1:24]}Z" if value.microsecond else f"{text[1:20]}.000Z"


Shown: TypeAlias = tuple[tuple[str, str, Callable[[Any], Any]], ...]
"""Additional fields: the name and the column of each, and what makes its value of the column's."""


def user(row: User, additional: Shown = ()) -> answers.User:
    answer: Any = {
        "name": row.name,
        "email": row.email,
        "emailVerified": row.email_verified,
        "image": row.image,
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
        "id": str(row.id),
    }
    for name, column, convert in additional:
        answer[name] = convert(getattr(row, column))
    return answer


def session(row: Session, additional: Shown = ()) -> answers.Session:
    answer: Any = {
        "expiresAt": timestamp(row.expires_at),
        "token": row.token,
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
        "ipAddress": row.ip_address,
        "userAgent": row.user_agent,
        "userId": str(row.user_id),
        "id": str(row.id),
    }
    for name, column, convert in additional:
        answer[name] = convert(getattr(row, column))
    return answer


def account(row: PublicAccount) -> answers.Account:
    scopes = (row.scope or "").split(",")
    return {
        "accountId": row.account_id,
        "providerId": row.provider_id,
        "userId": str(row.user_id),
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
        "id": str(row.id),
        "scopes": [scope.strip() for scope in scopes if scope.strip()],
    }


def shown(field: AdditionalField) -> tuple[str, str, Callable[[Any], Any]]:
    """The entry of ``Shown`` for a field that clients see."""
    convert = _CONVERTERS.get(field.column_type)
    if convert is None:
        return field.name, field.column, lambda value: value
    return field.name, field.column, lambda value: None if value is None else convert(value)


def _midnight(value: date) -> str:
    return timestamp(datetime(value.year, value.month, value.day, tzinfo=UTC))


def _number(value: Decimal) -> msgspec.Raw | None:
    return msgspec.Raw(str(value).encode()) if value.is_finite() else None


_CONVERTERS: Final[dict[ColumnType, Callable[[Any], Any]]] = {
    "uuid": str,
    "timestamptz": timestamp,
    "date": _midnight,
    "numeric": _number,
    "jsonb": lambda text: msgspec.Raw(text.encode()),  # it is JSON already
}
