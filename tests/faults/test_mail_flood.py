"""A mail server that does not answer, and many who ask for mails."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.security.people import site
from tests.support import Server, end


async def test_mails_take_few_connections_and_do_not_delay_the_stop(
    postgres: Server, template: str, tmp_path: Path
) -> None:
    writers: list[asyncio.StreamWriter] = []

    async def be_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(be_silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = {"MAIL_URL": f"smtp://127.0.0.1:{port}", "MAIL_FROM": "a@example.com"}

    def ask_for_mails() -> None:
        person = running.sign_up()
        with ThreadPoolExecutor(4) as pool:
            browser = running.browser()
            body = {"email": person.email}
            asked = [pool.submit(browser.post, "/request-password-reset", json=body)
                     for _ in range(40)]  # fmt: skip
            assert {task.result().status_code for task in asked} == {200}

    try:
        with site(postgres, template, tmp_path, **settings) as running:
            await asyncio.to_thread(ask_for_mails)
            await asyncio.sleep(1.5)  # a mail leaves up to a second later
            assert len(writers) == 10
            started = time.monotonic()
            assert await asyncio.to_thread(end, running.service.process, 60) == 0
            assert time.monotonic() - started < 10
            assert "40 mails were not sent" in running.service.log.read_text()
    finally:
        for writer in writers:
            writer.close()
        server.close()
