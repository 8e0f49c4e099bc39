"""Write what follows from the migrations: db/migrations.lock, db/schema.sql, db/catalogue.txt."""

from app.database import Direct
from app.operations import catalogue, dbmate, migrations
from app.operations.embedded import scratch

migrations.lock()
with scratch() as server:
    dbmate.up(server.url())
    dbmate.dump(server.url(), migrations.MIGRATIONS.with_name("schema.sql"))
    with Direct(server.url(), search_path="public") as database:
        catalogue.EXPECTED.write_text(catalogue.render(catalogue.read(database)))
