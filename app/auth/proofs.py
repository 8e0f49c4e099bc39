"""What proves something once: the rows of verifications that belong to mailed links.

A link to reset a password or to delete an account carries a random token, which is the identifier;
the value is the user's id. Where the table is not to open anything, SHA-256 stands in for the
identifier, in the form of Better Auth's ``verification.storeIdentifier: "hashed"``. A link that
shows an address carries a JWT; its jti is kept, so that the link ends before the JWT expires.
"""

import hashlib
from base64 import urlsafe_b64encode
from typing import Any, Final, Literal, get_args
from uuid import UUID

from ..database import Transaction
from ..errors import AuthError
from ..statements import verifications
from ..statements.verifications import Proof
from .context import RequestContext, seconds, utc_now
from .tokens import reset_token

RESET: Final = "reset-password:"
DELETION: Final = "delete-account-"
MailKind = Literal["verify-email", "change-email"]


def identifiers(context: RequestContext, kind: str, token: str) -> list[str]:
    """What a token is kept under, first as this service writes it."""
    plain = kind + token
    if context.settings.better_auth_server == "plain":
        return [plain]
    digest = hashlib.sha256(plain.encode()).digest()
    return [urlsafe_b64encode(digest).decode().rstrip("="), plain]


async def keep(
    context: RequestContext, kind: str, token: str, user_id: UUID, lifetime: int
) -> None:
    """Keep the token of a link for ``lifetime`` seconds."""
    identifier = identifiers(context, kind, token)[0]
    expires_at = utc_now() + seconds(lifetime)
    await context.database.fetch(verifications.create, identifier, str(user_id), expires_at)


async def find(context: RequestContext, kind: str, token: str) -> Proof | None:
    """What a token stands for, unless it has expired."""
    if "\0" in token:
        return None
    names = identifiers(context, kind, token)
    proof = await context.database.fetchrow(verifications.find, names, 1)
    return None if proof is None or proof.expires_at < utc_now() else proof


async def keep_mail(context: RequestContext, kind: MailKind, user_id: UUID, lifetime: int) -> str:
    """The jti of a JWT that shows an address. A new change of address ends the one before it;
    anybody can ask for the mail that verifies one, so there the links before stay good."""
    jti = reset_token()
    identifier = _mail_identifier(kind, user_id)
    row = (identifier, jti, utc_now() + seconds(lifetime))
    if kind == "verify-email":
        await context.database.fetch(verifications.create, *row)
        return jti

    async def write(transaction: Transaction) -> None:
        await transaction.fetch(verifications.consume, [identifier])
        await transaction.fetch(verifications.create, *row)

    await context.database.transaction("verifications.keep_mail", write)
    return jti


async def consume_mail(
    transaction: Transaction,
    context: RequestContext,
    kind: MailKind,
    user_id: UUID,
    claims: dict[str, Any],
) -> None:
    """Use a JWT up, and every other of its kind. Raises AuthError 401 for one that has ended.

    A Better Auth server keeps no jti: where there is one, a JWT without it is good.
    """
    jti = claims.get("jti")
    if jti is None and context.settings.better_auth_server != "none":
        return
    identifier = _mail_identifier(kind, user_id)
    now = utc_now()
    ended = await transaction.fetch(verifications.consume, [identifier])
    if not any(proof.value == jti and proof.expires_at >= now for proof in ended):
        raise AuthError(401, "INVALID_TOKEN")


async def end_all(transaction: Transaction, user_id: UUID, also: list[str]) -> list[Proof]:
    """End every link of a user, and the identifiers ``also``: for a new password or address."""
    identifiers = [*mail_identifiers(user_id), *also]
    return await transaction.fetch(verifications.end_of_user, str(user_id), identifiers)


def mail_identifiers(user_id: UUID) -> list[str]:
    """What the links of a user are kept under that show an address."""
    return [_mail_identifier(kind, user_id) for kind in get_args(MailKind)]


def kind_of(identifier: str) -> str:
    """What a link is for, without its token; '' where only a hash of that is kept."""
    kinds = (RESET, DELETION, *(f"{kind}:" for kind in get_args(MailKind)))
    return next((kind.rstrip(":-") for kind in kinds if identifier.startswith(kind)), "")


def _mail_identifier(kind: MailKind, user_id: UUID) -> str:
    return f"{kind}:{user_id}"
