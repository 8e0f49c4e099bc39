"""The schema as PostgreSQL's catalogue has it, in one order on every version.

Rendered to ``db/catalogue.txt``, a line for each object, it is what a database is compared with.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from app.database import Direct
from app.operations.migrations import MIGRATIONS

EXPECTED: Final = MIGRATIONS.with_name("catalogue.txt")

Kind = Literal["table", "column", "constraint", "index", "trigger", "function", "other"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An object of the schema ``public``. ``comment`` is '' when there is none."""

    kind: Kind
    table: str  # '' for what belongs to no table
    name: str
    definition: str
    comment: str
    type: str  # of a column
    required: bool  # of a column: NOT NULL
    default: str  # of a column
    target: str  # of a foreign key: its table
    columns: Sequence[str]  # of a constraint

    @property
    def line(self) -> str:
        name = ".".join(part for part in (self.table, self.name) if part)
        text = " ".join(f"{self.kind} {name}: {self.definition}".split())
        return f"{text} -- {self.comment}" if self.comment else text


def read(database: Direct) -> list[Entry]:
    """Everything in the schema ``public`` but what dbmate keeps there, in a fixed order."""
    return [Entry(**dict(row)) for row in database.fetch(_CATALOGUE)]


def render(entries: Iterable[Entry]) -> str:
    """The text of ``db/catalogue.txt``."""
    return "".join(f"{entry.line}\n" for entry in entries)


def differences(entries: Iterable[Entry], expected: Path = EXPECTED) -> list[str]:
    """Lines that a database has more (``+``) or less (``-``) than it should."""
    live, should = render(entries).splitlines(), expected.read_text().splitlines()
    return [f"- {line}" for line in should if line not in live] + [
        f"+ {line}" for line in live if line not in should
    ]


_CATALOGUE: Final = """
WITH relations AS (
    SELECT oid, relname::text AS name, relkind, reloptions FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relname <> 'schema_migrations'
), tables AS (
    SELECT oid, name, reloptions FROM relations WHERE relkind IN ('r', 'p')
), objects (kind, "table", rank, position, name, definition, comment, type, required, "default",
            target, columns) AS (
    SELECT 'table', name, 1, 0, '',
           -- sorted: they stand in the order in which they were set
           coalesce((SELECT 'WITH (' || string_agg(option, ', ' ORDER BY option COLLATE "C") || ')'
                     FROM unnest(reloptions) option), ''),
           obj_description(oid, 'pg_class'), '', false, '', '', ARRAY[]::text[]
    FROM tables
  UNION ALL
    SELECT 'column', t.name, 2, a.attnum, a.attname,
           concat_ws(' ', format_type(a.atttypid, a.atttypmod),
                     'COLLATE ' || quote_ident(l.collname),
                     CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                     'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)),
           col_description(t.oid, a.attnum), format_type(a.atttypid, a.atttypmod), a.attnotnull,
           coalesce(pg_get_expr(d.adbin, d.adrelid), ''), '', ARRAY[a.attname::text]
    FROM tables t
    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type y ON y.oid = a.atttypid
    LEFT JOIN pg_collation l ON l.oid = a.attcollation AND a.attcollation <> y.typcollation
    LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
  UNION ALL
    SELECT 'constraint', t.name, 3, position(c.contype::text IN 'pufcx'), c.conname,
           pg_get_constraintdef(c.oid), obj_description(c.oid, 'pg_constraint'), '', false, '',
           coalesce(f.relname, ''),
           ARRAY(SELECT attname::text FROM pg_attribute
                 WHERE attrelid = t.oid AND attnum = ANY (c.conkey) ORDER BY attnum)
    FROM tables t
    JOIN pg_constraint c ON c.conrelid = t.oid AND c.contype IN ('p', 'u', 'f', 'c', 'x')
    LEFT JOIN pg_class f ON f.oid = c.confrelid
  UNION ALL
    SELECT 'index', t.name, 4, 0, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid),
           obj_description(i.indexrelid, 'pg_class'), '', false, '', '', ARRAY[]::text[]
    FROM tables t
    JOIN pg_index i ON i.indrelid = t.oid
    WHERE NOT EXISTS (SELECT FROM pg_constraint c
                      WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x'))
  UNION ALL
    SELECT 'trigger', t.name, 5, 0, g.tgname, pg_get_triggerdef(g.oid)
           || CASE g.tgenabled WHEN 'O' THEN '' ELSE ' DISABLED' END,
           obj_description(g.oid, 'pg_trigger'), '', false, '', '', ARRAY[]::text[]
    FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
  UNION ALL
    SELECT 'function', '', 6, 0, p.oid::regprocedure::text, pg_get_functiondef(p.oid),
           obj_description(p.oid, 'pg_proc'), '', false, '', '', ARRAY[]::text[]
    FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace AND p.prokind IN ('f', 'p')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
  UNION ALL
    SELECT 'other', '', 7, 0, name, 'relation of kind ' || relkind::text, NULL, '', false, '', '',
           ARRAY[]::text[]
    FROM relations r
    WHERE relkind IN ('v', 'm', 'S', 'f')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = r.oid AND d.deptype = 'e')
)
SELECT kind, "table", name::text, definition, coalesce(comment, '') AS comment, type, required,
       "default", target::text, columns
FROM objects
-- tables as they were made, for a page that reads from the first to the last
ORDER BY (SELECT oid FROM tables WHERE tables.name = objects."table") NULLS LAST,
         rank, position, name COLLATE "C"
"""
