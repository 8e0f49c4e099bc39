"""What dbmate keeps of the migrations."""

from typing import Final

from app.sql import Query, Table, statement

_migrations = Table("schema_migrations")

applied: Final = statement(
    "migrations.applied",
    Query.from_(_migrations).select(_migrations.version).orderby(_migrations.version),
)
