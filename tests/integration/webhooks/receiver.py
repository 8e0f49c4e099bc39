"""A receiver as a process of its own: python -m tests.integration.webhooks.receiver PORT FILE

Each request is a line of FILE before it is answered. /flaky refuses every third one; /slow lets a
moment pass; everything else is 200.
"""

import asyncio
import itertools
import json
import sys
from pathlib import Path


async def main(port: int, file: Path) -> None:
    numbers = itertools.count(1)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip().split("\r\n")
            headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            path = first.split(" ")[1]
            status = 503 if path == "/flaky" and next(numbers) % 3 == 0 else 200
            if headers.get("webhook-id"):
                line = {"status": status, "headers": headers, "body": body.decode()}
                with file.open("a") as log:
                    log.write(json.dumps(line) + "\n")
            if path == "/slow":
                await asyncio.sleep(0.05)
            writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n".encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
