"""Database addresses and error texts that are safe to print."""

from urllib.parse import parse_qs, unquote, urlsplit


def redacted_url(url: str) -> str:
    """Host and database of an address: no user, no password, no options."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", [""])[0]
    return f"{host or 'localhost'}{parts.path}"


def without_password(text: str, url: str) -> str:
    """``text`` with the password of the address ``url`` masked."""
    password = urlsplit(url).password
    for secret in (password, unquote(password or "")):
        text = text.replace(secret, "***") if secret else text
    return text
