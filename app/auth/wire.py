"""Rows as the protocol sends them: camelCase, times with three digits and Z."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def moment(value: datetime) -> str:
    """ISO 8601 in UTC with milliseconds; the rest is cut off, as the Node driver does."""
    text = value.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


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
