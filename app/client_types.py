"""The rows of the REST API as types of its clients: TypeScript for postgrest-js, and Python.

Both follow from app/schema.py. The JSON of a row: times and UUIDs are text, numbers are numbers.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from .relation import Column, ColumnType, Relation
from .schema import RELATIONS

_TYPESCRIPT: Final[Mapping[ColumnType, str]] = {
    "uuid": "string",
    "text": "string",
    "boolean": "boolean",
    "timestamptz": "string",
    "date": "string",
    "integer": "number",
    "bigint": "number",
    "numeric": "number",
    "jsonb": "Json",
    "text[]": "string[]",
}
_PYTHON: Final[Mapping[ColumnType, str]] = {
    "uuid": "str",
    "text": "str",
    "boolean": "bool",
    "timestamptz": "str",
    "date": "str",
    "integer": "int",
    "bigint": "int",
    "numeric": "float",
    "jsonb": "Any",
    "text[]": "list[str]",
}


def typescript(relations: Mapping[str, Relation] = RELATIONS) -> str:
    """A module that exports ``Database``, for ``new PostgrestClient<Database>(…)``."""
    tables = "".join(_typescript_table(relation) for relation in relations.values())
    return f"""\
// Written by 'gatepost types typescript'.
export type Json =
  | string
  | number
  | boolean
  | null
  | {{ [key: string]: Json | undefined }}
  | Json[];

export type Database = {{
  public: {{
    Tables: {{
{tables}    }};
    Views: {{ [_ in never]: never }};
    Functions: {{ [_ in never]: never }};
    Enums: {{ [_ in never]: never }};
    CompositeTypes: {{ [_ in never]: never }};
  }};
}};
"""


def _typescript_table(relation: Relation) -> str:
    columns = relation.columns.values()
    keys = "".join(
        f"""
          {{
            foreignKeyName: "{key.name}";
            columns: ["{key.column}"];
            isOneToOne: false;
            referencedRelation: "{key.target}";
            referencedColumns: ["id"];
          }},"""
        for key in relation.foreign_keys
        if not key.by_hint  # with it the client would take an embedding without a hint for unclear
    )
    relationships = f"[{keys}\n        ]" if keys else "[]"
    insert = _lines(
        f"{c.name}{'?' * may_be_left_out(relation, c)}: {_typescript(c)};" for c in columns
    )
    update = _lines(
        f"{c.name}?: {_typescript(c)};" for c in columns if c.name not in relation.set_by_trigger
    )
    if relation.read_only:
        insert = update = "          [column: string]: never;\n"
    return f"""\
      {relation.name}: {{
        Row: {{
{_lines(f"{c.name}: {_typescript(c)};" for c in columns)}\
        }};
        Insert: {{
{insert}\
        }};
        Update: {{
{update}\
        }};
        Relationships: {relationships};
      }};
"""


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"          {line}\n" for line in lines)


def _typescript(column: Column) -> str:
    return _TYPESCRIPT[column.type] + (" | null" if column.nullable else "")


def may_be_left_out(relation: Relation, column: Column) -> bool:
    """Whether a row to insert has to have the column."""
    return (
        column.nullable or column.default is not None or column.name in relation.default_factories
    )


def python(relations: Mapping[str, Relation] = RELATIONS) -> str:
    """A module with a TypedDict for each row as selected, to insert and to update."""
    classes = "".join(_python_classes(relation) for relation in relations.values())
    return f'''\
"""The rows of Gatepost's REST API. Written by 'gatepost types python'."""

from typing import Any, NotRequired, TypedDict
{classes}'''


def _python_classes(relation: Relation) -> str:
    name = relation.row.__name__
    columns = relation.columns.values()
    row = [f"{c.name}: {_python(c)}" for c in columns]
    insert = [
        f"{c.name}: {f'NotRequired[{_python(c)}]' if may_be_left_out(relation, c) else _python(c)}"
        for c in columns
    ]
    update = [f"{c.name}: {_python(c)}" for c in columns if c.name not in relation.set_by_trigger]
    selected = _class(name, "TypedDict", f"A row of ``{relation.name}``.", row)
    if relation.read_only:
        return selected
    return (
        selected
        + _class(f"New{name}", "TypedDict", f"A row to insert into ``{relation.name}``.", insert)
        + _class(
            f"Changed{name}", "TypedDict, total=False", f"Changes to ``{relation.name}``.", update
        )
    )


def _class(name: str, base: str, doc: str, fields: Iterable[str]) -> str:
    body = "".join(f"    {field}\n" for field in fields)
    return f'\n\nclass {name}({base}):\n    """{doc}"""\n\n{body}'


def _python(column: Column) -> str:
    return _PYTHON[column.type] + (" | None" if column.nullable else "")
