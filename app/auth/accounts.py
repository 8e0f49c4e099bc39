"""The ways a user signs in, and the endpoints of providers, of which none is configured.

Where Better Auth would hand over to an OAuth provider, the answers are those of its server without
providers.
"""

from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from app.auth import sessions, wire
from app.auth.call import Call, redirect
from app.auth.errors import AuthError
from app.statements import accounts

CALLBACK = ("code", "error", "device_id", "error_description", "state", "user", "iss")
"""What a provider sends back."""


async def list_accounts(call: Call) -> Any:
    """GET /list-accounts."""
    rows = await call.database.fetch(accounts.of_user, call.user["id"])
    return [wire.account(row) for row in rows]


async def unlink(call: Call) -> Any:
    """POST /unlink-account: one of the user's own, never the last."""
    rows = await call.database.fetch(accounts.of_user, call.user["id"])
    if len(rows) <= 1:
        raise AuthError(400, "FAILED_TO_UNLINK_LAST_ACCOUNT")
    account_id = call.body["accountId"]
    if account_id not in {str(row["id"]) for row in rows}:
        raise AuthError(400, "ACCOUNT_NOT_FOUND")
    if not await call.database.fetch(accounts.unlink, UUID(account_id), call.user["id"]):
        raise AuthError(400, "FAILED_TO_UNLINK_LAST_ACCOUNT")
    return {"status": True}


async def sign_in_social(_: Call) -> Any:
    """POST /sign-in/social and /link-social."""
    raise AuthError(404, "PROVIDER_NOT_FOUND")


async def callback(call: Call) -> Any:
    """GET and POST /callback/:id."""
    if call.method == "POST":
        given = call.query | (call.body if isinstance(call.body, dict) else {})
        texts = {name: given[name] for name in CALLBACK if name in given}
        provider = quote(call.parameters["id"], safe="")
        return redirect(f"{call.auth.base}/callback/{provider}?{urlencode(texts)}")
    error = "state_mismatch" if call.query.get("state") else "state_not_found"
    return redirect(f"{call.auth.base}/error?error={error}")


async def access_token(call: Call) -> Any:
    """POST /get-access-token and /refresh-token."""
    row = await _selected(call, call.body)
    raise AuthError(
        400, "PROVIDER_NOT_SUPPORTED", f"Provider {row['provider_id']} is not supported."
    )


async def account_info(call: Call) -> Any:
    """GET /account-info."""
    await _selected(call, call.query)
    raise AuthError(
        400,
        "PROVIDER_NOT_CONFIGURED",
        "Account is not associated with a configured social provider.",
    )


async def _selected(call: Call, selection: dict[str, Any]) -> Any:
    current = await sessions.find(call)
    if current is None:
        raise AuthError(401)
    rows = await call.database.fetch(accounts.of_user, current.user["id"])
    for row in rows:
        if selection.get("accountId") == str(row["id"]):
            return row
    raise AuthError(400, "ACCOUNT_NOT_FOUND")
