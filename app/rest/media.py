"""Media types: which answer the client accepts, and the rows in a body.

Source: PostgREST 14, "Resource Representation", "Tables and Views"; RFC 9110 for the choice.
"""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from app.rest.errors import RestError, bad_body

JSON: Final = "application/json"
CSV: Final = "text/csv"
OPENAPI: Final = "application/openapi+json"
_OBJECT: Final = "application/vnd.pgrst.object+json"
_ARRAY: Final = "application/vnd.pgrst.array+json"
_FORM: Final = "application/x-www-form-urlencoded"
_one_or_more: Final = msgspec.json.Decoder(dict[str, Any] | list[dict[str, Any]]).decode
_QUOTED: Final = re.compile(r'[",\r\n]')

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Form:
    """The form of an answer: its media type, one object or an array, nulls kept or left out."""

    type: str = JSON
    singular: bool = False
    stripped: bool = False

    @property
    def content_type(self) -> str:
        if self.type == CSV:
            return f"{CSV}; charset=utf-8"
        if self.singular or self.stripped:
            name = _OBJECT if self.singular else _ARRAY
            return f"{name}{';nulls=stripped' if self.stripped else ''}; charset=utf-8"
        return f"{self.type}; charset=utf-8"


def negotiate(accept: str | None, *, root: bool = False) -> Form:
    """The answer for an Accept header. Raises RestError: 406 PGRST107."""
    if not accept:
        return Form(OPENAPI) if root else Form()
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    for _, name, parameters in sorted(ranges, key=lambda r: -r[0]):
        if root and name in (OPENAPI, JSON, "*/*", "application/*"):
            return Form(JSON if name == JSON else OPENAPI)
        if root:
            continue
        if name in (JSON, "*/*", "application/*"):
            return Form()
        if name in (CSV, "text/*"):
            return Form(CSV)
        if name in (_OBJECT, _ARRAY):
            return Form(JSON, name == _OBJECT, parameters.get("nulls") == "stripped")
    raise RestError(
        406, "PGRST107", f"None of these media types are available: {accept.strip():.200}"
    )


def _range(part: str) -> tuple[float, str, dict[str, str]]:
    name, *rest = (piece.strip() for piece in part.split(";"))
    parameters: dict[str, str] = {}
    for piece in rest:
        key, _, value = piece.lower().replace(" ", "").partition("=")
        parameters[key] = value
    try:
        weight = float(parameters.get("q", "1"))
    except ValueError:
        weight = 0.0
    return weight, name.lower(), parameters


def decoder(content_type: str | None, *, columns: bool) -> Callable[[bytes], Rows]:
    """What gives the rows in a body, each a mapping of column to JSON value.

    ``columns``: the request names the columns, so the rows' keys may differ.
    Raises RestError: 415 for another type; and the decoder 400 PGRST102 for what is malformed.
    """
    name = (content_type or JSON).partition(";")[0].strip().lower()
    if name == CSV:
        return _csv
    if name == _FORM:
        return _form
    if name != JSON and name not in (_OBJECT, _ARRAY):
        raise RestError(415, "PGRST102", f"Content-Type not acceptable: {name:.100}")
    return _json if columns else _alike


def _json(body: bytes) -> Rows:
    try:
        value = _one_or_more(body)
    except msgspec.ValidationError:
        raise bad_body("The body must be a JSON object or an array of JSON objects") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        details = f"{error}"[:200] if body.strip() else None
        raise bad_body("Empty or invalid json", details) from None
    return value if isinstance(value, list) else [value]


def _alike(body: bytes) -> Rows:
    rows = _json(body)
    if len(rows) > 1 and any(row.keys() != rows[0].keys() for row in rows):
        raise bad_body("All object keys must match")
    return rows


def _csv(body: bytes) -> Rows:
    try:
        reader = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        lines = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise bad_body("Invalid CSV", f"{error}"[:200]) from None
    if not lines:
        raise bad_body("Invalid CSV", "the header is missing")
    header, *records = lines
    if len(set(header)) != len(header):
        raise bad_body("Invalid CSV", "the header names a column twice")
    rows = []
    for number, record in enumerate(records, 2):
        if not record:
            continue
        if len(record) != len(header):
            raise bad_body("All lines must have same number of fields", f"line {number}")
        rows.append({n: None if v == "NULL" else v for n, v in zip(header, record, strict=True)})
    return rows


def _form(body: bytes) -> Rows:
    row: dict[str, Any] = {}
    for part in body.split(b"&"):
        if part:
            name, _, value = (unquote_to_bytes(p.replace(b"+", b" ")) for p in part.partition(b"="))
            try:
                row[name.decode()] = value.decode()
            except UnicodeDecodeError as error:
                raise bad_body("Invalid form", f"{error}"[:200]) from None
    return [row]


def to_csv(labels: tuple[str, ...], body: str) -> bytes:
    """A JSON array of rows of texts as CSV (RFC 4180), with a header and no newline at the end.

    Null is nothing and the empty text a pair of quotes, which Python's csv module does not tell
    apart.
    """
    rows = msgspec.json.decode(body)
    lines = [labels, *([row[label] for label in labels] for row in rows)]
    return "\n".join(",".join(map(_field, line)) for line in lines).encode()


def _field(value: str | None) -> str:
    if value is None:
        return ""
    if value and not _QUOTED.search(value):
        return value
    return '"' + value.replace('"', '""') + '"'
