"""The ways a user signs in, and the endpoints of providers, of which none is configured.

Where Better Auth would hand over to an OAuth provider, the answers are those of its server without
providers.
"""

from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import UUID

from app.auth import serializers, sessions
from app.auth.context import RequestContext, redirect
from app.auth.endpoint import get, post
from app.auth.validation import account_selector, fields, optional, provider, string
from app.errors import AuthError
from app.statements import accounts
from app.statements.accounts import PublicAccount

_CALLBACK = ("code", "error", "device_id", "error_description", "state", "user", "iss")
"""What a provider sends back."""


async def list_accounts(context: RequestContext) -> Any:
    """GET /list-accounts."""
    rows = await context.database.fetch(accounts.of_user, context.user.id)
    return [serializers.account(row) for row in rows]


async def unlink(context: RequestContext) -> Any:
    """POST /unlink-account: one of the user's own, never the last."""
    rows = await context.database.fetch(accounts.of_user, context.user.id)
    if len(rows) <= 1:
        raise AuthError(400, "FAILED_TO_UNLINK_LAST_ACCOUNT")
    account_id = context.body["accountId"]
    if account_id not in {str(row.id) for row in rows}:
        raise AuthError(400, "ACCOUNT_NOT_FOUND")
    if not await context.database.fetch(accounts.unlink, context.user.id, UUID(account_id)):
        raise AuthError(400, "FAILED_TO_UNLINK_LAST_ACCOUNT")
    return {"status": True}


async def sign_in_social(_: RequestContext) -> Any:
    """POST /sign-in/social and /link-social."""
    raise AuthError(404, "PROVIDER_NOT_FOUND")


async def provider_callback(context: RequestContext) -> Any:
    """GET and POST /callback/:id."""
    if context.method == "POST":
        values = context.query | (context.body if isinstance(context.body, dict) else {})
        texts = {name: values[name] for name in _CALLBACK if name in values}
        name = quote(context.path_params["id"], safe="")
        return redirect(f"{context.services.base_url}/callback/{name}?{urlencode(texts)}")
    error = "state_mismatch" if context.query.get("state") else "state_not_found"
    return redirect(f"{context.services.base_url}/error?error={error}")


async def access_token(context: RequestContext) -> Any:
    """POST /get-access-token and /refresh-token."""
    row = await _selected(context, context.body)
    raise AuthError(400, "PROVIDER_NOT_SUPPORTED", f"Provider {row.provider_id} is not supported.")


async def account_info(context: RequestContext) -> Any:
    """GET /account-info."""
    await _selected(context, context.query)
    raise AuthError(
        400,
        "PROVIDER_NOT_CONFIGURED",
        "Account is not associated with a configured social provider.",
    )


async def _selected(context: RequestContext, selection: dict[str, Any]) -> PublicAccount:
    current = await sessions.find(context)
    if current is None:
        raise AuthError(401)
    rows = await context.database.fetch(accounts.of_user, current.user.id)
    for row in rows:
        if selection.get("accountId") == str(row.id):
            return row
    raise AuthError(400, "ACCOUNT_NOT_FOUND")


_FROM_PROVIDER: Final = fields({name: optional(string) for name in _CALLBACK})

routes: Final = [
    get("/list-accounts", list_accounts, session="session"),
    post(
        "/unlink-account",
        unlink,
        body=fields({"accountId": string}),
        session="fresh",
        event="account_unlinked",
    ),
    post("/sign-in/social", sign_in_social, body=provider),
    post("/link-social", sign_in_social, body=provider, session="session"),
    get("/callback/{id}", provider_callback, query=_FROM_PROVIDER),
    post(
        "/callback/{id}",
        provider_callback,
        body=optional(_FROM_PROVIDER),
        query=_FROM_PROVIDER,
        accepts_form=True,
    ),
    post("/get-access-token", access_token, body=account_selector),
    post("/refresh-token", access_token, body=account_selector),
    get("/account-info", account_info, query=account_selector),
]
