"""Write db/schema.sql: what dbmate dumps of a new database with every migration applied."""

from app.operations import dbmate, migrations
from app.operations.embedded import scratch

with scratch() as server:
    migrations.lock()
    dbmate.up(server.url())
    dbmate.dump(server.url(), migrations.MIGRATIONS.with_name("schema.sql"))
