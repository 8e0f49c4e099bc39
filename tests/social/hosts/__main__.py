"""The process: ``python -m tests.social.hosts FOLDER CONTROL_PORT PROXY_PORT``."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from tests.social.authority import Authority
from tests.social.hosts.application import Hosts, application
from tests.social.hosts.declared import stand_ins
from tests.social.hosts.tunnel import Tunnel


def main(folder: Path, control_port: int, proxy_port: int) -> None:
    played = stand_ins()
    authority = Authority(folder)
    certificates = {name: authority.sign(name) for name in Hosts(played).names}
    # a name of the tests' own whose certificate is by somebody else
    stranger = Authority(folder / "stranger", "Somebody else")
    certificates["stranger.openid.test"] = stranger.sign("stranger.openid.test")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with await Tunnel(proxy_port, control_port, certificates).serve():
            yield

    uvicorn.run(
        application(played, lifespan=lifespan),
        host="127.0.0.1", port=control_port, loop="asyncio", log_level="warning",
        timeout_graceful_shutdown=1,
    )  # fmt: skip


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
