"""Lint the migrations: squawk on each way up (.squawk.toml), and the rules of docs/MIGRATIONS.md.

Prints ``file:line: rule: text``; exits 1 when there is anything to print.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pglast import ast, parse_sql
from pglast.enums import AlterTableType as Alter
from pglast.enums import ConstrType, NullTestType, ObjectType
from pglast.parser import ParseError

from app.errors import MigrationFilesError
from app.migrations import files

Finding = tuple[int, str, str]  # line, rule, text

SQUAWK = Path(sys.executable).with_name("squawk")
CONFIG = files.MIGRATIONS.parents[1] / ".squawk.toml"
SECTION = re.compile(r"^-- migrate:(up|down)\b(.*)$", re.MULTILINE)
REMOVAL = {"remove", "drop", "rename"}
TYPES = {
    "timestamp": "timestamptz",
    "time": "timestamptz",
    "timetz": "timestamptz",
    "varchar": "text",
    "bpchar": "text",
    "json": "jsonb",
    "serial": "uuid",
    "bigserial": "uuid",
    "smallserial": "uuid",
}
# Written without a name they get one that PostgreSQL makes up; NOT NULL and DEFAULT have none.
NAMED = {
    ConstrType.CONSTR_CHECK,
    ConstrType.CONSTR_PRIMARY,
    ConstrType.CONSTR_UNIQUE,
    ConstrType.CONSTR_EXCLUSION,
    ConstrType.CONSTR_FOREIGN,
}
# Up to this version files were written before a Citus cluster was thought of.
BEFORE_SHARDS = "20261125140000"
BLOCK = re.compile(r"DO \$\$\s+BEGIN\b|\bEND;?\s+\$\$;")
KEYS = {ConstrType.CONSTR_PRIMARY, ConstrType.CONSTR_UNIQUE}


@dataclass(frozen=True)
class Part:
    """The way up or the way down of a file, with its statements by line."""

    first_line: int
    alone: bool  # transaction:false
    text: str  # without the words of a DO block around everything
    block: bool

    def statements(self) -> Iterator[tuple[int, Any]]:
        source = self.text.encode()  # the parser counts bytes
        for raw in parse_sql(self.text):
            code = source[raw.stmt_location :].decode()
            gap = re.match(r"(?:\s+|--[^\n]*\n|/\*.*?\*/)*", code, re.DOTALL)
            before = source[: raw.stmt_location].decode() + (gap[0] if gap else "")
            yield self.first_line + before.count("\n"), raw.stmt


def parts(text: str) -> tuple[dict[str, list[Part]], str]:
    """The parts of a file by their direction, and what stands before the first."""
    before, *rest = SECTION.split(text)
    found: dict[str, list[Part]] = {"up": [], "down": []}
    line = 1 + before.count("\n")
    for direction, options, body in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        inner = unwrapped(body)
        part = Part(line, "transaction:false" in options, inner or body, inner is not None)
        found[direction].append(part)
        line += body.count("\n")
    return found, before


def unwrapped(body: str) -> str | None:
    """The statements of a DO block with nothing beside and no control structures in it."""
    inner, count = BLOCK.subn(lambda words: "\n" * words[0].count("\n"), body)
    try:
        parse_sql(inner)
        outer = parse_sql(body)
    except ParseError:
        return None
    return inner if count == 2 and len(outer) == 1 else None


@dataclass
class Contents:
    """What a way up makes, with lines: names of tables, (table, column) and the like."""

    made: dict[tuple[str, ...], int]
    commented: set[tuple[str, ...]]
    references: dict[tuple[str, str], int]
    indexed: set[tuple[str, str]]


def names(strings: Any) -> tuple[str, ...]:
    """A name's words without the schema."""
    words = tuple(string.sval for string in strings)
    return words[1:] if words[0] == "public" else words


def read(statements: list[tuple[int, Any]]) -> tuple[Contents, list[Finding]]:
    """Walk the statements of a way up once, for everything the rules ask."""
    contents, wrong = Contents({}, set(), {}, set()), []

    def constraint(line: int, table: str, node: ast.Constraint, column: str | None) -> None:
        if node.contype in NAMED and not node.conname:
            wrong.append((line, "named-constraint", f"a constraint of {table} has no name"))
        columns = [column] if column else [s.sval for s in node.fk_attrs or node.keys or ()]
        if node.contype == ConstrType.CONSTR_FOREIGN:
            contents.references[table, columns[0] or ""] = line
        elif node.contype in KEYS and columns:
            contents.indexed.add((table, columns[0] or ""))

    def column(line: int, table: str, node: Any) -> None:  # of an ast.ColumnDef nothing is optional
        contents.made[table, node.colname] = line
        type_ = node.typeName.names[-1].sval
        if type_ in TYPES:
            text = f"{table}.{node.colname} is {type_}: use {TYPES[type_]}"
            wrong.append((line, "types", text))
        for part in node.constraints or ():
            constraint(line, table, part, node.colname)

    for line, node in statements:
        match node:
            case ast.CreateStmt(relation=ast.RangeVar(relname=str(table))):
                contents.made[(table,)] = line
                for element in node.tableElts or ():
                    if isinstance(element, ast.ColumnDef):
                        column(line, table, element)
                    elif isinstance(element, ast.Constraint):
                        constraint(line, table, element, None)
            case ast.AlterTableStmt(relation=ast.RangeVar(relname=str(table)), cmds=commands):
                for command in commands or ():
                    if command.subtype == Alter.AT_AddColumn:
                        column(line, table, command.def_)
                    elif command.subtype == Alter.AT_AddConstraint:
                        constraint(line, table, command.def_, None)
            case ast.IndexStmt(
                relation=ast.RangeVar(relname=str(table)),
                indexParams=[ast.IndexElem(name=str(first)), *_],
                whereClause=condition,
            ) if condition is None or _is_not_null(condition, first):
                contents.indexed.add((table, first))
            case ast.CommentStmt(objtype=ObjectType.OBJECT_TABLE | ObjectType.OBJECT_COLUMN):
                contents.commented.add(names(node.object))
            case ast.CreateEnumStmt():
                text = f"{names(node.typeName)[-1]} is an enum: use text and a CHECK"
                wrong.append((line, "types", text))
    return contents, wrong


def _is_not_null(condition: Any, column: str) -> bool:
    """Whether an index leaves out just the rows that refer to nothing."""
    match condition:
        case ast.NullTest(
            arg=ast.ColumnRef(fields=[ast.String(sval=str(name))]),
            nulltesttype=NullTestType.IS_NOT_NULL,
        ):
            return name == column
    return False


def is_removal(name: str) -> bool:
    """Whether a file's name says that it takes away what older code may use."""
    return not REMOVAL.isdisjoint(name.removesuffix(".sql").split("_")[1:])


def removes(node: Any) -> str | None:
    """What a statement takes away from code that runs now."""
    match node:
        case ast.DropStmt(removeType=ObjectType.OBJECT_TABLE, objects=[table, *_]):
            return f"drops the table {names(table)[-1]}"
        case ast.RenameStmt(
            renameType=ObjectType.OBJECT_TABLE | ObjectType.OBJECT_COLUMN,
            relation=ast.RangeVar(relname=table),
        ):
            return f"renames {node.subname or table}"
        case ast.AlterTableStmt(cmds=commands):
            for command in commands or ():
                if command.subtype == Alter.AT_DropColumn:
                    return f"drops the column {command.name}"
    return None


def for_shards(part: Part, statements: list[tuple[int, Any]]) -> Iterator[Finding]:
    """Citus sends the text of a change to every shard: it must be one change."""
    made: set[str] = set()
    alters: list[tuple[int, Any]] = []
    for line, node in statements:
        match node:
            case ast.CreateStmt(relation=ast.RangeVar(relname=str(table))):
                made.add(table)
            case (
                ast.AlterTableStmt(relation=ast.RangeVar(relname=str(table)))
                | ast.IndexStmt(relation=ast.RangeVar(relname=str(table)))
                | ast.CreateTrigStmt(relation=ast.RangeVar(relname=str(table)))
            ) if table not in made:
                alters.append((line, node))
    for line, node in alters:
        commands = getattr(node, "cmds", None) or ()
        if len(commands) > 1:
            yield line, "shards", "one subcommand an ALTER TABLE"
        elif len(statements) > 1 and not part.block and not only_column(commands):
            yield line, "shards", "the only statement of its file, or all of them in a DO block"


def only_column(commands: Any) -> bool:
    """Whether Citus writes the change anew: of a column that has no check or key, or its end."""
    return bool(commands) and all(
        command.subtype == Alter.AT_DropColumn
        or (
            command.subtype == Alter.AT_AddColumn
            and all(part.contype not in NAMED for part in command.def_.constraints or ())
        )
        for command in commands
    )


def findings(name: str, text: str) -> tuple[list[Finding], Contents | None]:
    """What is wrong in a file by our own rules, and what its way up makes."""
    found, before = parts(text)
    if SECTION.sub("", before).strip() or any(len(found[key]) != 1 for key in found):
        return [
            (1, "one-up-one-down", "one migrate:up, then one migrate:down, nothing before")
        ], None
    up, down = found["up"][0], found["down"][0]
    if up.first_line > down.first_line:
        return [(1, "one-up-one-down", "migrate:down comes before migrate:up")], None
    try:
        ups, downs = list(up.statements()), list(down.statements())
    except ParseError as error:
        return [(up.first_line, "syntax", str(error.args[0]))], None
    wrong: list[Finding] = []
    for part, statements in ((up, ups), (down, downs)):
        if not statements:
            wrong.append((part.first_line, "one-up-one-down", "nothing in it"))
        if part.alone and len(statements) > 1:
            text = "one statement, or dbmate sends them all in one transaction"
            wrong.append((statements[1][0], "alone-when-transaction-false", text))
        concurrent = [n for _, n in statements if getattr(n, "concurrent", False)]
        if concurrent and not part.alone:
            text = "CONCURRENTLY needs transaction:false"
            wrong.append((part.first_line, "alone-when-transaction-false", text))
    if name > BEFORE_SHARDS + "_~":
        wrong += [
            each for part, all_ in ((up, ups), (down, downs)) for each in for_shards(part, all_)
        ]
    if not is_removal(name):
        wrong += [
            (line, "additions-before-removals", f"{what}: name the file _remove_… or _rename_…")
            for line, node in ups
            if (what := removes(node))
        ]
    contents, more = read(ups)
    wrong += more
    wrong += [
        (line, "comments", f"{'.'.join(made)} has no COMMENT ON that says who writes it")
        for made, line in contents.made.items()
        if made not in contents.commented
    ]
    return wrong, contents


def squawk(migration: files.Migration, folder: Path) -> bool:
    """Whether squawk finds nothing in the way up. It prints what it finds."""
    found, _ = parts(migration.content.decode())
    up = found["up"][0]
    part = folder / migration.name
    part.write_text("\n" * (up.first_line - 1) + up.text)  # so that line numbers are the file's
    # dbmate runs a file in one transaction unless it is told not to
    mode = "--no-assume-in-transaction" if up.alone else "--assume-in-transaction"
    excluded = tomllib.loads(CONFIG.read_text())["excluded_rules"]  # the option takes their place
    if up.alone:  # IF NOT EXISTS would pass over what an interrupted build has left
        excluded += ["prefer-robust-stmts"]
    if is_removal(migration.name):
        excluded += ["ban-drop-column", "ban-drop-table", "renaming-column", "renaming-table"]
    command = [SQUAWK, "--config", CONFIG, mode, f"--exclude={','.join(excluded)}", part]
    return subprocess.run(command, check=False).returncode == 0


def main(folder: Path) -> int:
    clean = True
    try:
        files.load_verified(folder)
    except MigrationFilesError as error:
        clean = False
        for line in str(error).splitlines():
            name, _, text = line.partition(": ")
            print(f"{name}:1: lock: {text}")
    everything: dict[str, tuple[list[Finding], Contents | None]] = {}
    for migration in files.load(folder):
        everything[migration.name] = findings(migration.name, migration.content.decode())
    indexed = {key for _, found in everything.values() if found for key in found.indexed}
    for name, (wrong, found) in everything.items():
        if found:
            wrong += [
                (line, "index-on-foreign-key", f"no index begins with {table}.{column}")
                for (table, column), line in found.references.items()
                if (table, column) not in indexed
            ]
        for line, rule, text in sorted(wrong):
            clean = False
            print(f"{name}:{line}: {rule}: {text}")
    sys.stdout.flush()
    with tempfile.TemporaryDirectory() as temporary:
        for migration in files.load(folder):
            if everything[migration.name][1] and not squawk(migration, Path(temporary)):
                clean = False
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else files.MIGRATIONS))
