"""The service as a process: its socket, and uvicorn.

``gatepost serve`` replaces itself by ``python -m gatepost.server``: without the command line it
takes some 10 MiB less memory.
"""

import errno
import gc
import os
import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import uvicorn
from prometheus_client import start_http_server
from starlette.applications import Starlette

from .errors import GatepostError, ListenError
from .http_guard import GuardedProtocol
from .logs import log_as_json
from .main import create_app
from .process import exit_on_signals, exit_with
from .settings import Settings
from .start import settings_to_serve

_KEEP_ALIVE: Final = 75  # seconds, more than a proxy's (nginx: 60): no request meets a close
_UNREAD_TIMEOUT: Final = 30  # seconds in which a client must read something of what waits for it
_SHUTDOWN_TIMEOUT: Final = 10  # seconds for the requests under way


def main() -> None:
    """Serve on the database in DATABASE_URL. Exit codes as in app/cli.py."""
    exit_on_signals()
    try:
        settings = settings_to_serve(os.environ)
        with listening_socket(settings) as listener:
            log_as_json()
            run(settings, listener, f"Gatepost on {base_url(settings)}")
    except GatepostError as error:
        exit_with(error)


@contextmanager
def listening_socket(settings: Settings) -> Iterator[socket.socket]:
    """The socket of the service, bound before anything slow begins."""
    address = f"port {settings.port} of {settings.host}"
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; the connections inherit it
            milliseconds = _UNREAD_TIMEOUT * 1000
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen()  # another process could still take a port that is only bound
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ListenError(f"cannot listen on {address}: {error.strerror}") from error
            other = settings.port % 65535 + 1
            raise ListenError(
                f"{address} is taken: stop what uses it, or choose another: "
                f"--port {other}, or PORT={other} in the environment"
            ) from error
        yield listener


def run(
    settings: Settings,
    listener: socket.socket,
    welcome: str,
    make_app: Callable[[Settings], Starlette] = create_app,
) -> None:
    """Serve until a signal comes; print ``welcome`` first: the socket queues connections."""
    config = uvicorn.Config(
        make_app(settings),
        loop="uvloop",
        http=GuardedProtocol,
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # app/auth decides which proxies to trust
        log_config=None,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_SHUTDOWN_TIMEOUT,
    )
    serve_metrics(settings)
    _allow_connections()
    gc.collect()
    gc.freeze()  # collections skip what the imports made, which stays anyway
    gc.set_threshold(20_000)  # reference counting frees what a request leaves behind
    print(welcome, flush=True)
    uvicorn.Server(config).run([listener])


def serve_metrics(settings: Settings) -> None:
    """Answer Prometheus on a port of its own, in a thread that ends with the process."""
    if (port := settings.metrics_port) is None:
        return
    try:
        start_http_server(port, settings.metrics_host)
    except OSError as error:
        address = f"port {port} of {settings.metrics_host}"
        raise ListenError(
            f"cannot listen on {address} for GATEPOST_METRICS_PORT: {error.strerror}"
        ) from error


def _allow_connections() -> None:
    """Open as many files as the system lets this process; 1,024, a usual start, are soon idle."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):  # macOS names a limit that it does not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def base_url(settings: Settings) -> str:
    """Where this process can be reached."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}"


if __name__ == "__main__":
    main()
