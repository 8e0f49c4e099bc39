"""Cookies: reading, signing and writing them as Better Auth does.

A signed value is ``value.signature``, the signature being HMAC-SHA-256 with the UTF-8 bytes of the
secret in padded standard Base64; the whole is percent-encoded. A signature that does not verify is
the same as no cookie. Mail tokens are signed with the same key where a Better Auth server reads
them: a value that could be the signed part of one is no cookie either.
"""

import binascii
import hmac
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote

from ..settings import SameSite

_SIGNATURE_LENGTH: Final = 44
_JWT_START: Final = "eyJ"  # {" in Base64


class Signer:
    """Signs with the first secret and verifies with any."""

    def __init__(self, secrets: Sequence[str]) -> None:
        # keyed once and copied for each signature, which halves the cost
        self._keyed = [hmac.new(secret.encode(), digestmod="sha256") for secret in secrets]

    def sign(self, value: str) -> str:
        return f"{value}.{_signature(self._keyed[0], value).decode()}"

    def verify(self, signed: str) -> str | None:
        """The value, or None."""
        value, _, signature = signed.rpartition(".")
        if not value or len(signature) != _SIGNATURE_LENGTH or not signature.endswith("="):
            return None
        if value.startswith(_JWT_START) and "." in value:
            return None
        given = signature.encode("utf-8", "replace")
        good = False
        for keyed in self._keyed:  # all of them, whichever it is
            good |= hmac.compare_digest(_signature(keyed, value), given)
        return value if good else None


def _signature(keyed: hmac.HMAC, value: str) -> bytes:
    signed = keyed.copy()
    signed.update(value.encode("utf-8", "surrogatepass"))
    return binascii.b2a_base64(signed.digest(), newline=False)


def parse(header: str) -> dict[str, str]:
    """A Cookie header by name; the first of a name counts, values are percent-decoded.

    Nothing but spaces and tabs is taken off a name: to a browser one with another white space is
    another name, which any site of the domain may set, whatever its prefix promises.
    """
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, separator, value = part.partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        if not separator or name in found:
            continue
        if value[:1] == value[-1:] == '"' and len(value) > 1:
            value = value[1:-1]
        found[name] = _decoded(value) if "%" in value else value
    return found


def _decoded(value: str) -> str:
    # what a signature has of Base64, at a fifth of the time
    plain = value.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")
    if "%" not in plain:
        return plain
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        return value


_MOST: Final = 20
"""Copies of a session that one answer ends. A subdomain can set more of them than a proxy lets an
answer have; the next answers end the rest."""


class Cookies:
    """The names and attributes of the cookies."""

    def __init__(
        self,
        signer: Signer,
        *,
        prefix: str,
        secure: bool,
        domain: str | None,
        max_age: int,
        host: bool = False,
        same_site: SameSite = "lax",
        partitioned: bool = False,
    ) -> None:
        start = f"{'__Host-' if host else '__Secure-' if secure else ''}{prefix}."
        self.session_token: Final = f"{start}session_token"
        self.session_data: Final = f"{start}session_data"
        self.dont_remember: Final = f"{start}dont_remember"
        self.state: Final = f"{start}state"
        self.oauth_state: Final = f"{start}oauth_state"
        self.cross_site: Final = same_site == "none"
        """Whether browsers send them with what the pages of other sites ask."""
        self._start = start
        self._signer = signer
        self._max_age = max_age
        domain_part = f"; Domain={domain}" if domain else ""
        secure_part = "; Secure" if secure else ""
        partition_part = "; Partitioned" if partitioned else ""
        self._attributes = (
            f"{domain_part}; Path=/; HttpOnly{secure_part}"
            f"; SameSite={same_site.capitalize()}{partition_part}"
        )

    def named(self, name: str) -> str:
        """The whole name of a plugin's cookie."""
        return f"{self._start}{name}"

    def session(self, token: str, *, remember: bool, remembered: bool) -> list[str]:
        """Set-Cookie lines of a session. ``remembered``: no dont_remember cookie came."""
        value = quote(self._signer.sign(token), safe="")
        age = f"; Max-Age={self._max_age}" if remember else ""
        lines = [f"{self.session_token}={value}{age}{self._attributes}"]
        if not remember:
            value = quote(self._signer.sign("true"), safe="")
            lines.append(f"{self.dont_remember}={value}{self._attributes}")
        elif not remembered:
            lines.append(self.cleared(self.dont_remember))
        return lines

    def signed(self, name: str, value: str, max_age: int) -> str:
        """The Set-Cookie line of a signed value."""
        return self.plain(name, quote(self._signer.sign(value), safe=""), max_age)

    def plain(self, name: str, value: str, max_age: int) -> str:
        """The Set-Cookie line of a value of letters and digits."""
        return f"{name}={value}; Max-Age={max_age}{self._attributes}"

    def all_cleared(self, cookies: dict[str, str]) -> list[str]:
        """Set-Cookie lines that end a session and every copy of it."""
        data = self.session_data
        sent = [name for name in cookies if name == data or self._is_chunk(name)][:_MOST]
        return [self.cleared(n) for n in (self.session_token, data, *sent, self.dont_remember)]

    def stale_cleared(self, cookies: dict[str, str]) -> list[str]:
        """Set-Cookie lines that end copies of the session, which Gatepost does not make."""
        copies = [name for name in cookies if name.startswith(self.session_data)]
        stale = [n for n in copies if self._is_chunk(n) or (n == self.session_data and cookies[n])]
        return [self.cleared(name) for name in stale[:_MOST]]

    def _is_chunk(self, name: str) -> bool:
        start, dot, number = name.rpartition(".")
        return bool(dot) and start == self.session_data and number.isascii() and number.isdigit()

    def cleared(self, name: str) -> str:
        return f"{name}=; Max-Age=0{self._attributes}"

    def is_signed(self, value: str) -> bool:
        """Whether a value, not percent-encoded, has a good signature."""
        return self._signer.verify(value) is not None

    def signed_value(self, cookies: dict[str, str], name: str) -> str | None:
        """The value of a signed cookie of the request."""
        value = cookies.get(name)
        return self._signer.verify(value) if value else None
