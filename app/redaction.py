"""Database addresses, error texts and paths that are safe to print."""

import logging
import re
from typing import Final
from urllib.parse import parse_qs, quote, unquote, urlsplit


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


_CONTROLS: Final = re.compile("[\x7f-\x9f\u2028\u2029]")


def one_line(json: str) -> str:
    """``json`` with what it may have unescaped and readers take for the end of a line, or terminals
    for a command, as escapes."""
    return json if json.isascii() else _CONTROLS.sub(lambda c: f"\\u{ord(c[0]):04x}", json)


_TOKEN: Final = re.compile(
    r"(?![0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-]))"  # an id is no secret
    r"(?<![\w-])(?=[a-z_-]*[A-Z0-9])[\w-]{16,}",
    re.ASCII,
)
_RESET: Final = re.compile(r"(/reset-password/).+", re.DOTALL)


def safe_path(path: str) -> str:
    """A path of a request without what may be a token, on one line."""
    if len(path) > 16:
        path = _TOKEN.sub(":token", _RESET.sub(r"\1:token", path))
    return path if path.isprintable() else quote(path)


class TokenFilter(logging.Filter):
    """Takes tokens and queries out of the paths and scopes that uvicorn logs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_without_token, record.args))
        return True


def _without_token(argument: object) -> object:
    match argument:
        case str(target) if target.startswith("/"):
            path, question_mark, _ = target.partition("?")
            return f"{safe_path(path)}?…" if question_mark else safe_path(path)
        case {"path": str(path), "query_string": _, **rest}:  # a scope, in a trace
            return rest | {"path": safe_path(path), "raw_path": "…", "query_string": "…"}
    return argument


_FILTER: Final = TokenFilter()


def redact_server_logs() -> None:
    """Let no token into the log of the server that runs the application."""
    for name in ("uvicorn.access", "uvicorn.error", "uvicorn.asgi"):
        logging.getLogger(name).addFilter(_FILTER)
