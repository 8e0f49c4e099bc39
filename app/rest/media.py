"""Media types: which one the client accepts, and the rows in a body.

Source: PostgREST 14, "Resource Representation", "Tables and Views"; RFC 9110 for the choice.
"""

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from ..errors import RestError
from ..relation import ColumnType
from .errors import bad_body
from .values import FROM_JSON, FROM_TEXT

JSON: Final = "application/json"
CSV: Final = "text/csv"
OPENAPI: Final = "application/openapi+json"
OPENAPI_3: Final = f"{OPENAPI};version=3.1"
OBJECT: Final = "application/vnd.pgrst.object+json"
ARRAY: Final = "application/vnd.pgrst.array+json"
FORM: Final = "application/x-www-form-urlencoded"
_OPENAPI_3: Final = ("3", "3.1", "3.1.0", "3.1.1")
_QUOTED: Final = re.compile(r'[",\r\n]')
# Raw: a value is decoded when its column's type is known
_decode_rows: Final = msgspec.json.Decoder(
    dict[str, msgspec.Raw] | list[dict[str, msgspec.Raw]]
).decode

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """The form of a response: its media type, one object or an array, nulls kept or left out."""

    type: str = JSON
    singular: bool = False
    strip_nulls: bool = False

    @property
    def content_type(self) -> str:
        if self.type == CSV:
            return f"{CSV}; charset=utf-8"
        if self.singular or self.strip_nulls:
            name = OBJECT if self.singular else ARRAY
            return f"{name}{';nulls=stripped' if self.strip_nulls else ''}; charset=utf-8"
        return f"{self.type}; charset=utf-8"


@dataclass(frozen=True, slots=True)
class BodyFormat:
    """How rows are read from a body, and how their values become those of a column."""

    decode: Callable[[bytes], Rows]
    """Raises RestError 400 PGRST102 for what is malformed."""
    converters: Mapping[ColumnType, Callable[[Any], Any]]


def negotiate(accept: str, *, root: bool = False) -> ResponseFormat:
    """The format for an Accept header. Raises RestError: 406 PGRST107.

    The root is described in OpenAPI 2.0, as PostgREST's clients expect it, and in 3.1 for whoever
    asks for that version.
    """
    if not accept:
        return ResponseFormat(OPENAPI) if root else ResponseFormat()
    ranges = [_range(part) for part in accept.split(",") if part.strip()]
    for _, name, parameters in sorted(ranges, key=lambda r: -r[0]):
        if root and name == OPENAPI and parameters.get("version", "2.0") != "2.0":
            if parameters["version"] in _OPENAPI_3:
                return ResponseFormat(OPENAPI_3)
            continue
        if root and name in (OPENAPI, JSON, "*/*", "application/*"):
            return ResponseFormat(JSON if name == JSON else OPENAPI)
        if root:
            continue
        if name in (JSON, "*/*", "application/*"):
            return ResponseFormat()
        if name in (CSV, "text/*"):
            return ResponseFormat(CSV)
        if name in (OBJECT, ARRAY):
            return ResponseFormat(JSON, name == OBJECT, parameters.get("nulls") == "stripped")
    raise RestError(
        406, "PGRST107", f"None of these media types are available: {accept.strip():.200}"
    )


def _range(part: str) -> tuple[float, str, dict[str, str]]:
    name, *rest = (piece.strip() for piece in part.split(";"))
    parameters: dict[str, str] = {}
    for piece in rest:
        key, _, value = piece.lower().replace(" ", "").partition("=")
        parameters[key] = value.strip('"')
    try:
        weight = float(parameters.get("q", "1"))
    except ValueError:
        weight = 0.0
    return weight, name.lower(), parameters


def body_format(content_type: str, *, uniform: bool) -> BodyFormat:
    """``uniform``: all rows must have the same keys. Raises RestError: 415 for another type."""
    name = (content_type or JSON).partition(";")[0].strip().lower()
    if name == CSV:
        return BodyFormat(_csv, FROM_TEXT)
    if name == FORM:
        return BodyFormat(_form, FROM_TEXT)
    if name not in (JSON, OBJECT, ARRAY):
        raise RestError(415, "PGRST102", f"Content-Type not acceptable: {name:.100}")
    return BodyFormat(_uniform_json if uniform else _json, FROM_JSON)


def _json(body: bytes) -> Rows:
    try:
        body.decode()  # the decoder leaves that to whoever decodes a Raw
        value = _decode_rows(body)
    except msgspec.ValidationError:
        raise bad_body("The body must be a JSON object or an array of JSON objects") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        details = f"{error}"[:200] if body.strip() else None
        raise bad_body("Empty or invalid json", details) from None
    return value if isinstance(value, list) else [value]


def _uniform_json(body: bytes) -> Rows:
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
