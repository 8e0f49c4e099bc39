"""Write what follows from the migrations: db/migrations.lock, db/schema.sql, db/catalogue.txt."""

import asyncio

from app.devserver.postgres import scratch, wheel_binaries
from app.migrations import catalogue, dbmate, files


async def main() -> None:
    files.write_lock_file()
    with scratch() as server:
        await dbmate.up(server.url())
        await dbmate.dump(
            server.url(), files.MIGRATIONS.with_name("schema.sql"), programs=wheel_binaries()
        )
        catalogue.EXPECTED.write_text(catalogue.render(await catalogue.read(server.url())))


asyncio.run(main())
