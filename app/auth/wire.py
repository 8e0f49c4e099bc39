"""Rows as the protocol sends them: camelCase, times with three digits and Z."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

_encode: Final = msgspec.json.Encoder().encode


def moment(value: datetime) -> str:
    """ISO 8601 with milliseconds of a time in UTC; the rest is cut off, as the Node driver does."""
    text = _encode(value).decode()  # "2026-01-01T00:00:00.123456Z" with its quotes
    return f"{text[1:24]}Z" if value.microsecond else f"{text[1:20]}.000Z"


def user(row: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return {
        "name": row[f"{prefix}name"],
        "email": row[f"{prefix}email"],
        "emailVerified": row[f"{prefix}email_verified"],
        "image": row[f"{prefix}image"],
        "createdAt": moment(row[f"{prefix}created_at"]),
        "updatedAt": moment(row[f"{prefix}updated_at"]),
        "id": str(row[f"{prefix}id"]),
    }


def session(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "expiresAt": moment(row["expires_at"]),
        "token": row["token"],
        "createdAt": moment(row["created_at"]),
        "updatedAt": moment(row["updated_at"]),
        "ipAddress": row["ip_address"],
        "userAgent": row["user_agent"],
        "userId": str(row["user_id"]),
        "id": str(row["id"]),
    }


def account(row: Mapping[str, Any]) -> dict[str, Any]:
    scopes = (row["scope"] or "").split(",")
    return {
        "accountId": row["account_id"],
        "providerId": row["provider_id"],
        "userId": str(row["user_id"]),
        "createdAt": moment(row["created_at"]),
        "updatedAt": moment(row["updated_at"]),
        "id": str(row["id"]),
        "scopes": [scope.strip() for scope in scopes if scope.strip()],
    }
