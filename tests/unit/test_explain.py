"""The plans of the fixed statements can be made with the sample values."""

from typing import get_args

from app.explain import SAMPLES
from app.relation import ColumnType
from app.statements import every_statement


def test_samples_cover_every_column_and_parameter_type() -> None:
    types = {*get_args(ColumnType)}
    types |= {type_ for statement in every_statement() for _, type_ in statement.parameters}
    assert {type_.removesuffix("[]") for type_ in types} <= SAMPLES.keys()
