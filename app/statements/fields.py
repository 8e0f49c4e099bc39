"""Additional fields in a statement: what is given for one, and what an update leaves."""

from ..relation import AdditionalField
from ..sql import Case, Parameter, Table, Term


def given(field: AdditionalField) -> Term:
    """The value of a new row."""
    return Parameter(field.parameter, field.column_type)


def kept_or_given(field: AdditionalField, table: Table) -> Term:
    """The value after an update, which may say nothing of this field."""
    is_given = Parameter(f"set_{field.parameter}", "boolean")
    return Case().when(is_given, given(field)).else_(table.field(field.column))
