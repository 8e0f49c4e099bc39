"""Write db/schema.sql: what dbmate dumps of a new database with every migration applied."""

from app.operations.embedded import scratch
from app.operations.migrate import MIGRATIONS, migrate

with scratch() as server:
    migrate(server.url(), dump=MIGRATIONS.with_name("schema.sql"))
