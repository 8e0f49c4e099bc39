"""A provider's tokens as accounts keep them: in clear, or encrypted with the secret.

In the form of Better Auth's ``account.encryptOAuthTokens``: access and refresh token are encrypted,
the ID token, which opens nothing, is not.
"""

from collections.abc import Sequence
from typing import Any, Final

from ...statements.accounts import StoredTokens
from .. import cipher
from .provider import InvalidCodeError, Tokens

_MAX_LENGTH: Final = 65_536  # characters that a column takes


class UnreadableTokenError(Exception):
    """It was encrypted with a secret that is not among those of the service, or changed since."""


class TokenStore:
    """From what a provider gives to the columns of ``accounts``, and back."""

    def __init__(self, secrets: Sequence[str], *, encrypt: bool) -> None:
        self._secrets = secrets
        self._encrypts = encrypt

    def sealed(self, tokens: Tokens) -> dict[str, Any]:
        """The values of the five columns of tokens, by name; not of ``scope``.

        Raises InvalidCodeError for a token that no column takes.
        """
        return {
            "access_token": self._sealed(tokens.access_token),
            "refresh_token": self._sealed(tokens.refresh_token),
            "id_token": _storable(tokens.id_token),
            "access_token_expires_at": tokens.access_token_expires_at,
            "refresh_token_expires_at": tokens.refresh_token_expires_at,
        }

    def opened(self, row: StoredTokens) -> Tokens:
        """The tokens of an account. Raises UnreadableTokenError."""
        return Tokens(
            access_token=self.open(row.access_token),
            refresh_token=self.open(row.refresh_token),
            id_token=row.id_token,
            access_token_expires_at=row.access_token_expires_at,
            refresh_token_expires_at=row.refresh_token_expires_at,
            scopes=scopes(row.scope),
        )

    def open(self, kept: str | None) -> str | None:
        """One token. What was kept before encryption was switched on is as it is, and so is what
        was encrypted before it was switched off. Raises UnreadableTokenError."""
        if not kept or not cipher.is_encrypted(kept):
            return kept
        token = cipher.decrypt(self._secrets, kept)
        if token is None and self._encrypts:
            raise UnreadableTokenError
        return kept if token is None else token

    def _sealed(self, token: str | None) -> str | None:
        if not token or not self._encrypts or _storable(token) is None:
            return _storable(token)
        return _storable(cipher.encrypt(self._secrets[0], token))


def scopes(column: str | None) -> tuple[str, ...]:
    """Those in the column ``scope``, which are separated by commas."""
    return tuple(name.strip() for name in (column or "").split(",") if name.strip())


def _storable(token: str | None) -> str | None:
    if token is not None and (len(token) > _MAX_LENGTH or "\0" in token or not token.isascii()):
        raise InvalidCodeError("a token that cannot be kept")
    return token
