"""Who it is that comes from a provider: a known account, a user with the same address, or new.

Two accounts with one address join only when both sides have proved it: the provider says that it is
verified (or GATEPOST_TRUSTED_PROVIDERS takes its word), and the user has verified it here. Whoever
registers with somebody else's address first would otherwise share the user with them.
"""

from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from ...database import Transaction
from ...schema import Session, User
from ...settings import ProviderSettings, SocialSettings
from ...statements import accounts, users
from ...statements import sessions as session_statements
from .. import email_verification, proofs, sessions
from ..context import RequestContext
from .attempts import Failure, attempt
from .provider import Profile, Tokens
from .refusals import RefusedError
from .token_store import scopes

Kind = Literal["known", "linked", "new"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Somebody who comes from a provider, and what it says of them."""

    settings: ProviderSettings
    profile: Profile
    tokens: Tokens = field(repr=False)
    scope: str | None = None
    """What is kept of the scopes; None: they are not known."""
    requests_sign_up: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """The account's: the provider, and its name for them."""
        return self.settings.id, self.profile.subject


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user; without a session when they have to verify their address first."""

    user: User
    session: Session | None
    kind: Kind
    old_email: str | None = None
    """Where the provider has changed it."""


async def sign_in(context: RequestContext, arrival: Arrival, callback: str = "/") -> SignedIn:
    """Sign somebody in, whoever it is; the cookie is up to the caller.

    ``callback`` is where the mail leads that verifies a new user's address. Raises RefusedError
    with nothing written, and DatabaseError.
    """
    if arrival.profile.email is None:
        raise RefusedError("email_not_found")
    new = sessions.new_session(context)

    async def write(transaction: Transaction, failure: Failure) -> SignedIn | None:
        found = await _find_or_create(transaction, context, arrival, failure)
        if found is None:
            return None
        user, kind = found
        had_verified, old_email = user.email_verified, user.email
        if kind != "new":
            failure.code = "unable_to_create_user"
            if not await _follow(transaction, context, arrival, user):
                return None
            # as it is now, and with the additional fields, which answers show
            statement = context.services.user_statements.by_account
            user = await transaction.fetchrow(statement, *arrival.key)
            if user is None:
                return None
        session = None
        if had_verified or not arrival.settings.require_email_verification:
            failure.code = "unable_to_create_session"
            session = await sessions.insert(transaction, context, user.id, new)
        changed = old_email if user.email != old_email else None
        return SignedIn(user, session, kind, changed)

    found = await attempt(context, "accounts.sign_in_with_provider", write)
    context.event_user = found.user.id
    mail = context.services.mail
    if found.old_email is not None:
        await mail.notify("email-changed", found.old_email, str(found.user.id))
    if found.kind == "linked":
        await _tell_of(context, arrival, found.user.email, found.user.id)
    unverified = found.kind == "new" and not found.user.email_verified
    wanted = (
        context.settings.send_verification_on_sign_up or arrival.settings.require_email_verification
    )
    if unverified and wanted and mail.possible:
        await email_verification.send(context, found.user, callback)
    return found


async def _find_or_create(
    transaction: Transaction, context: RequestContext, arrival: Arrival, failure: Failure
) -> tuple[User, Kind] | None:
    """None: another request was faster, and has to be looked for."""
    services, social = context.services, context.settings.social
    known = await transaction.fetchrow(services.user_statements.by_account, *arrival.key)
    if known is not None:
        failure.code = "unable_to_update_account"
        if social.update_account_on_sign_in:
            await _update_tokens(transaction, context, arrival, None)
        else:  # locked, as by an update: what ends the account waits, and ends this session too
            await transaction.fetch(accounts.by_key, *arrival.key)
        return known, "known"
    user = await transaction.fetchrow(users.by_email, arrival.profile.email)
    if user is not None:
        _check_joins(social, arrival, user)
        failure.code = "unable_to_link_account"
        if not await _link(transaction, context, arrival, user.id):
            return None
        if not user.email_verified:
            # whatever opens this user may be that of somebody who only claimed the address
            await transaction.fetch(accounts.end_others, user.id, *arrival.key)
            await transaction.fetch(session_statements.revoke_all, user.id)
            await proofs.end_all(transaction, user.id, [])
        if social.update_user_on_link:
            await _take_name(transaction, context, arrival, user.id)
        return user, "linked"
    settings = arrival.settings
    implicit = settings.disable_implicit_sign_up and not arrival.requests_sign_up
    if settings.disable_sign_up or implicit:
        raise RefusedError("signup_disabled")
    failure.code = "unable_to_create_user"
    profile, statement = arrival.profile, services.user_statements.sign_up_by_provider
    values = services.user_fields.defaults | {
        "name": profile.name,
        "email": profile.email,
        "image": profile.image,
        "verified": profile.email_verified,
        **_account_values(context, arrival),
    }
    created = await transaction.fetchrow(statement, *statement.arguments(values))
    return None if created is None else (created, "new")


def _check_joins(social: SocialSettings, arrival: Arrival, user: User) -> None:
    """Raises RefusedError unless both sides have proved the address."""
    is_proved = user.email_verified or social.link_unverified_users
    joins = social.account_linking and social.implicit_linking
    if not (joins and is_proved and _is_believed(social, arrival)):
        raise RefusedError("account_not_linked")


def _is_believed(social: SocialSettings, arrival: Arrival) -> bool:
    """Whether the provider's word for the address counts."""
    return arrival.profile.email_verified or arrival.settings.id in social.trusted_providers


async def _follow(
    transaction: Transaction, context: RequestContext, arrival: Arrival, user: User
) -> bool:
    """Take what the provider says of a user who was there before. False: they have just changed."""
    profile = arrival.profile
    settings = arrival.settings
    same = profile.email == user.email
    verified = user.email_verified or (same and profile.email_verified)
    if settings.override_user_info and profile.email is not None:
        taken = None if same else await transaction.fetchrow(users.by_email, profile.email)
        email = user.email if taken else profile.email
        if email != user.email:
            verified = profile.email_verified
            await proofs.end_all(transaction, user.id, [])
        values = (profile.name, profile.image or user.image, email, verified, user.id, user.email)
        return bool(await transaction.fetch(users.take_profile, *values))
    if verified != user.email_verified:
        await transaction.fetch(users.verify_email, True, user.id, user.email)
    return True


async def link(
    context: RequestContext,
    arrival: Arrival,
    user_id: UUID,
    email: str,
    *,
    session: str,
    own_first: bool = False,
) -> None:
    """Give a user another account. ``email``: the address that the user had when they asked;
    ``session``: the token with which they did, which has to be good still.

    ``own_first``: one that the user has already is updated without further checks.

    Raises RefusedError with nothing written (``linking_failed``: the row cannot be), DatabaseError.
    """
    social = context.settings.social

    async def write(transaction: Transaction, failure: Failure) -> bool | None:
        """Whether the account is new to the user."""
        failure.code = "linking_failed"
        # looked up before the provider was asked, which takes its time
        if not await transaction.fetch(session_statements.hold, session, user_id):
            raise RefusedError("unable_to_link_account")
        own = await transaction.fetchrow(accounts.by_key, *arrival.key)
        if not (own_first and own):
            _check_links(social, arrival, email)
        if own is not None and own.user_id != user_id:
            raise RefusedError("account_already_linked_to_different_user")
        if own is not None:
            await _update_tokens(transaction, context, arrival, own.scope)
            if own_first:
                return False
        elif not await _link(transaction, context, arrival, user_id):
            return None
        if social.update_user_on_link:
            await _take_name(transaction, context, arrival, user_id)
        return own is None

    if await attempt(context, "accounts.link", write):
        await _tell_of(context, arrival, email, user_id)


async def _tell_of(context: RequestContext, arrival: Arrival, email: str, user_id: UUID) -> None:
    """Tell the user by mail that another account opens theirs."""
    await context.services.mail.notify(
        "account-linked", email, str(user_id), provider=arrival.settings.id
    )


def _check_links(social: SocialSettings, arrival: Arrival, email: str) -> None:
    if not social.account_linking or not _is_believed(social, arrival):
        raise RefusedError("unable_to_link_account")
    if arrival.profile.email != email.lower() and not social.link_different_emails:
        raise RefusedError("email_does_not_match")


async def _link(
    transaction: Transaction, context: RequestContext, arrival: Arrival, user_id: UUID
) -> bool:
    """Whether the account was nobody's."""
    values = {"user_id": user_id, **_account_values(context, arrival)}
    return bool(await transaction.fetch(accounts.link, *accounts.link.arguments(values)))


async def _update_tokens(
    transaction: Transaction, context: RequestContext, arrival: Arrival, scope: str | None
) -> None:
    """``scope``: those that are kept, which the new ones come after; None: they stay."""
    values = _account_values(context, arrival)
    if scope is None or not arrival.scope:
        values["scope"] = None
    else:
        values["scope"] = ",".join(dict.fromkeys([*scopes(scope), *scopes(arrival.scope)]))
    statement = accounts.update_tokens
    await transaction.fetch(statement, *statement.arguments(values))


async def _take_name(
    transaction: Transaction, context: RequestContext, arrival: Arrival, user_id: UUID
) -> None:
    services, profile = context.services, arrival.profile
    statement = services.user_statements.update_profile
    values = services.user_fields.of_update({}) | {
        "id": user_id,
        "set_name": bool(profile.name),
        "name": profile.name,
        "set_image": profile.image is not None,
        "image": profile.image,
    }
    await transaction.fetch(statement, *statement.arguments(values))


def _account_values(context: RequestContext, arrival: Arrival) -> dict[str, Any]:
    provider, subject = arrival.key
    sealed = context.social.token_store.sealed(arrival.tokens)
    return {"provider": provider, "account_id": subject, "scope": arrival.scope, **sealed}
