"""A refresh token is used once, however many ask, in however many processes.

Many providers give a new refresh token for each that is used, and take one that comes twice for
stolen. So the calls of one process for one account share a task, and the processes a lease: a row
with a deadline, so that one that dies leaves nothing locked. No connection and no transaction is
held while a provider is asked.

Nothing is repeated by itself: when an answer is lost, all who wait for it learn that it failed, and
whoever asks afterwards begins anew. What a provider gave is written only over the refresh token
that it was given for.
"""

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from time import monotonic
from typing import Any, Final
from uuid import UUID

from ...database import Database, Transaction
from ...errors import DatabaseError, DatabaseUnavailableError
from ...schema import new_token
from ...statements import accounts, leases
from ...statements.accounts import StoredTokens
from .client import OAuthClient
from .provider import ProviderError, RefreshError, Tokens
from .token_store import TokenStore, UnreadableTokenError

LEASE: Final = timedelta(seconds=20)
"""Longer than what a provider may take, its discovery document included."""
_PATIENCE: Final = LEASE.total_seconds() + 5
"""Seconds that a process waits for another's answer: until a lease has expired, and a little."""
_CLOSING: Final = 2.0
"""Seconds for answers at the end, after the requests had as many as a provider has."""
_POLL: Final = 0.1
"""Seconds from one look at another process's lease to the next."""
_SAVING: Final = 10.0
"""Seconds for which a database that is away is tried again: the old refresh token is used up."""
_PAUSE: Final = 0.5
"""Seconds between two of these attempts."""
_COLUMNS: Final = (
    "access_token",
    "refresh_token",
    "id_token",
    "access_token_expires_at",
    "refresh_token_expires_at",
)

_log = logging.getLogger("gatepost.auth")


class AccountGoneError(Exception):
    """The account was removed meanwhile."""


class Refresher:
    """Refreshes the tokens of accounts, each by one call at a time."""

    def __init__(self, database: Database, store: TokenStore) -> None:
        self._database = database
        self._store = store
        self._running: dict[UUID, asyncio.Task[StoredTokens | Exception]] = {}

    async def refresh(self, account: StoredTokens, client: OAuthClient) -> StoredTokens:
        """The account as it is after a refresh, by this call or by one at the same time.

        ``account`` is the row as the caller read it, with a refresh token. A caller that goes away
        ends nothing: a refresh token that was sent is used up, so its answer has to be kept.
        Raises RefreshError, UnreadableTokenError, AccountGoneError and DatabaseError.
        """
        task = self._running.get(account.id)
        if task is None:
            task = asyncio.create_task(self._run(account, client))
            self._running[account.id] = task
        found = await asyncio.shield(task)
        if isinstance(found, Exception):
            raise found
        return found

    async def close(self) -> None:
        """Wait for the answers that are under way."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=_CLOSING)

    async def _run(self, account: StoredTokens, client: OAuthClient) -> StoredTokens | Exception:
        try:
            return await self._refreshed(account, client)
        except UnreadableTokenError as error:
            _log.error(
                "a refresh token of %s cannot be decrypted: add the secret that it was encrypted "
                "with to GATEPOST_SECRET as a second one",
                account.provider_id,
            )
            return error
        except (RefreshError, AccountGoneError, DatabaseError) as error:
            return error
        finally:
            del self._running[account.id]

    async def _refreshed(self, account: StoredTokens, client: OAuthClient) -> StoredTokens:
        used = self._store.open(account.refresh_token)
        if not used:
            raise _failed(account, "no refresh token")
        lease = _lease(account.id)
        patience = monotonic() + _PATIENCE
        began = monotonic()
        while not await self._take(lease):
            if await self._is_given_back(account, lease, patience):
                current = await self._read(account)
                if current == account:
                    raise _failed(account, "another process has asked it in vain")
                return current
            began = monotonic()
        try:
            async with asyncio.timeout(LEASE.total_seconds() - (monotonic() - began)):
                current = await self._read(account)
                if any(getattr(current, name) != getattr(account, name) for name in _COLUMNS):
                    return current  # another process was faster
                tokens = await client.refresh(used, account.account_id)
            return await self._write(account, self._sealed(account, tokens))
        except TimeoutError:
            raise _failed(account, "no answer in time") from None
        except ProviderError as error:  # the client has logged it
            raise RefreshError(*error.args) from None
        finally:
            await self._release(lease)

    async def _take(self, lease: Mapping[str, Any]) -> bool:
        async def write(transaction: Transaction) -> bool:
            end, take = leases.end_expired, leases.take
            await transaction.fetch(end, *end.arguments(lease))
            return bool(await transaction.fetch(take, *take.arguments(lease)))

        return await self._database.transaction("leases.take", write)

    async def _is_given_back(
        self, account: StoredTokens, lease: Mapping[str, Any], patience: float
    ) -> bool:
        """Wait for the end of another's lease; False: it expired."""
        look = leases.look
        while monotonic() < patience:
            found = await self._database.fetchrow(look, *look.arguments(lease))
            if found is None or found.expired:
                return found is None
            await asyncio.sleep(_POLL)
        raise _failed(account, "another process has asked it and has no answer")

    async def _release(self, lease: Mapping[str, Any]) -> None:
        release = leases.release
        try:
            await self._database.fetch(release, *release.arguments(lease))
        except DatabaseError:
            _log.warning("a refresh stays locked for %g s", LEASE.total_seconds())

    async def _read(self, account: StoredTokens) -> StoredTokens:
        current = await self._database.fetchrow(accounts.tokens, account.id, account.user_id)
        if current is None:
            raise AccountGoneError
        return current

    def _sealed(self, account: StoredTokens, tokens: Tokens) -> dict[str, Any]:
        """The new columns; what the provider left out stays as it is."""
        kept = {name: getattr(account, name) for name in _COLUMNS}
        try:
            given = self._store.sealed(tokens)
        except ProviderError as error:
            raise _failed(account, str(error)) from None
        return kept | {name: value for name, value in given.items() if value}

    async def _write(self, account: StoredTokens, columns: dict[str, Any]) -> StoredTokens:
        write = accounts.refresh_tokens
        values = columns | {
            "id": account.id,
            "user_id": account.user_id,
            "used": account.refresh_token,
        }
        patience = monotonic() + _SAVING
        while True:
            try:
                written = await self._database.fetchrow(write, *write.arguments(values))
                # none: a sign-in or another server has written newer ones
                return written or await self._read(account)
            except DatabaseUnavailableError:  # written or not, it can be sent again
                if monotonic() > patience:
                    raise
            await asyncio.sleep(_PAUSE)


def _lease(account_id: UUID) -> dict[str, Any]:
    return {
        "id": account_id,
        "identifier": f"refresh-token:{account_id}",
        "owner": new_token(),
        "length": LEASE,
    }


def _failed(account: StoredTokens, reason: str) -> RefreshError:
    _log.warning("provider %s: %s: %s", account.provider_id, RefreshError.code, reason)
    return RefreshError(reason)
