"""The service as a process: its socket, uvicorn, and its end.

``python -m app.server`` is what ``gatepost serve`` becomes, without the command line's own memory.
"""

import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

import uvicorn

from app.errors import SettingsError
from app.http.protocol import WholeAnswerProtocol
from app.main import create_app
from app.settings import Settings

_GRACE: Final = 10  # seconds that requests under way have to end


def main() -> None:
    """Serve on the database in DATABASE_URL. Exit codes as in app/cli.py."""
    end_on_signals()
    try:
        settings = Settings.from_environment(os.environ)
        with listening(settings) as listener:
            run(settings, listener, f"Gatepost on {address(settings)}")
    except SettingsError as error:
        leave(error, 2)
    except ListenError as error:
        leave(error, 1)


class ListenError(Exception):
    """The service cannot listen on its address."""


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """The service's socket, taken before anything slow is begun."""
    where = f"port {settings.port} of {settings.host}"
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen()  # or another process could still take it
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ListenError(f"cannot listen on {where}: {error.strerror}") from error
            other = settings.port % 65535 + 1
            raise ListenError(
                f"{where} is taken: stop what uses it, or choose another: PORT={other} make serve"
            ) from error
        yield listener


class _Server(uvicorn.Server):
    """Says something once it is ready."""

    def __init__(self, config: uvicorn.Config, welcome: str) -> None:
        super().__init__(config)
        self._welcome = welcome

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print(self._welcome, flush=True)


def run(settings: Settings, listener: socket.socket, welcome: str) -> None:
    """Serve until a signal; ``welcome`` is printed once requests are taken."""
    config = uvicorn.Config(
        create_app(settings),
        loop="uvloop",
        http=WholeAnswerProtocol,
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # an address counts only as app/auth/addresses.py takes it
        log_config=None,
        timeout_graceful_shutdown=_GRACE,
    )
    gc.collect()
    gc.freeze()  # what the imports made stays, and collections need not look at it
    gc.set_threshold(20_000)  # what a request leaves goes by reference counts
    _Server(config, welcome).run([listener])


def end_on_signals(base: int | None = None) -> None:
    """Leave by an exception, so that every `with` ends; uvicorn hands the signal on to this.

    The exit code is 0: a service has done its work. With ``base`` it is that and the number of the
    signal: what was to be done is not.
    """

    def end(received: int, _: object) -> NoReturn:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise SystemExit(0 if base is None else base + received)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)


def address(settings: Settings) -> str:
    """Where the service is found."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


def leave(error: Exception, code: int) -> NoReturn:
    """End the process with one line on standard error."""
    print(f"gatepost: {error}", file=sys.stderr)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
