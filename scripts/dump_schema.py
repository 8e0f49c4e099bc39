"""Write what follows from the migrations: db/migrations.lock, db/schema.sql, db/catalogue.txt.

And the tables in db/service_grants.sql, which are those of app/schema.py.
"""

import asyncio

from app.devserver.postgres import scratch, wheel_binaries
from app.migrations import catalogue, dbmate, files
from app.schema import WRITTEN
from scripts.generated import with_granted_tables


async def main() -> None:
    files.write_lock_file()
    grants = files.SERVICE_GRANTS
    grants.write_text(with_granted_tables(grants.read_text(), [table.name for table in WRITTEN]))
    with scratch() as server:
        await dbmate.up(server.url())
        await dbmate.dump(
            server.url(), files.MIGRATIONS.with_name("schema.sql"), programs=wheel_binaries()
        )
        catalogue.EXPECTED.write_text(catalogue.render(await catalogue.read(server.url())))


asyncio.run(main())
