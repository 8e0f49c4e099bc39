"""Additional fields of users and sessions: what a client may write of them, and what it sees.

Source: Better Auth 1.7, ``parseInputData``; that a value is of the field's type is checked here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..errors import AuthError
from ..relation import AdditionalField, FieldType
from .serializers import Shown, shown
from .validation import js_type, raise_if_invalid

NEW_ROW: Final = {"MISSING_FIELD": 400, "FIELD_NOT_ALLOWED": 400}
"""The errors of a new row, by their codes, with their statuses."""
UPDATE: Final = {"FIELD_NOT_ALLOWED": 400}


_SCHEMAS: Final[dict[FieldType, dict[str, Any]]] = {
    "string": {"type": ["string", "null"]},
    "number": {"type": ["number", "null"]},
    "boolean": {"type": ["boolean", "null"]},
    "date": {"type": ["string", "null"], "format": "date-time"},
    "string[]": {"type": ["array", "null"], "items": {"type": "string"}},
    "number[]": {"type": ["array", "null"], "items": {"type": "number"}},
    "json": {},
}


class Fields:
    """The additional fields of a table; there may be none."""

    def __init__(self, fields: Sequence[AdditionalField] = ()) -> None:
        self._fields = fields
        self._inputs = [field for field in fields if field.input]
        self._never_null = {f.name for f in fields if f.required and f.default is not None}
        self.shown: Shown = tuple(shown(field) for field in fields if field.returned)
        self.defaults = {field.parameter: field.default for field in fields if field.in_new_rows}
        """The parameters of a new row to which a client gives nothing."""

    def described(self) -> dict[str, dict[str, Any]]:
        """JSON Schemas of the fields that clients see, by name."""
        return {field.name: _SCHEMAS[field.type] for field in self._fields if field.returned}

    def of_new_row(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of a new row.

        Raises AuthError 400: FIELD_NOT_ALLOWED, MISSING_FIELD, VALIDATION_ERROR.
        """
        for field in self._fields:
            if field.default is not None and not field.refused:
                continue
            if not field.input:
                _refuse(field, body)
            elif field.required and field.name not in body:
                raise AuthError(400, "MISSING_FIELD", f"{field.name} is required")
        defaulted = {name for name in self._never_null if body.get(name) is None}
        given = {name: value for name, value in body.items() if name not in defaulted}
        return self.defaults | self._converted(given)

    def of_update(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of an update.

        Raises AuthError 400: FIELD_NOT_ALLOWED, VALIDATION_ERROR.
        """
        for field in self._fields:
            if not field.input:
                _refuse(field, body)
        given = self._converted(body)
        parameters: dict[str, Any] = {}
        for field in self._inputs:
            parameters[f"set_{field.parameter}"] = field.parameter in given
            parameters[field.parameter] = given.get(field.parameter)
        return parameters

    def are_in(self, body: Mapping[str, Any]) -> bool:
        """Whether an update names a field that it may change."""
        return any(field.name in body for field in self._inputs)

    def synthetic(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The columns of a row that is not written, and looks as if it were."""
        return {field.column: parameters.get(field.parameter) for field in self._fields}

    def _converted(self, body: Mapping[str, Any]) -> dict[str, Any]:
        found, wrong = {}, []
        for field in self._inputs:
            if field.name not in body:
                continue
            value = body[field.name]
            if value is None and not field.required:
                found[field.parameter] = None
                continue
            try:
                found[field.parameter] = field.convert(value)
            except ValueError as error:
                problem = f"Invalid input: expected {error}, received {js_type(value)}"
                wrong.append(f"[body.{field.name}] {problem}")
        raise_if_invalid(wrong)
        return found


def _refuse(field: AdditionalField, body: Mapping[str, Any]) -> None:
    value = body.get(field.name)
    # what JavaScript takes for false is ignored
    if value not in (None, "", False, 0):
        raise AuthError(400, "FIELD_NOT_ALLOWED", f"{field.name} is not allowed to be set")
