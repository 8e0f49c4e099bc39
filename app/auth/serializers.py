"""Rows as the protocol sends them: camelCase, times with three digits and Z."""

from datetime import datetime
from typing import Any, Final

import msgspec

from app.schema import Session, User
from app.statements.accounts import PublicAccount

_encode: Final = msgspec.json.Encoder().encode  # a quarter of what isoformat takes


def timestamp(value: datetime) -> str:
    """ISO 8601 with milliseconds of a time in UTC; the rest is cut off, as the Node driver does."""
    text = _encode(value).decode()  # "2026-01-01T00:00:00.123456Z" with its quotes
    return f"{text[1:24]}Z" if value.microsecond else f"{text[1:20]}.000Z"


def user(row: User) -> dict[str, Any]:
    return {
        "name": row.name,
        "email": row.email,
        "emailVerified": row.email_verified,
        "image": row.image,
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
        "id": str(row.id),
    }


def session(row: Session) -> dict[str, Any]:
    return {
        "expiresAt": timestamp(row.expires_at),
        "token": row.token,
        "createdAt": timestamp(row.created_at),
        "updatedAt": timestamp(row.updated_at),
        "ipAddress": row.ip_address,
        "userAgent": row.user_agent,
        "userId": str(row.user_id),
        "id": str(row.id),
    }


def account(row: PublicAccount) -> dict[str, Any]:
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
