"""The options --host and --port: where a service listens."""

import os
from typing import Annotated

import typer

HostOption = Annotated[
    str | None, typer.Option(help="The address to listen on, instead of HOST.", show_default=False)
]
PortOption = Annotated[
    int | None,
    typer.Option(
        help="The port to listen on, instead of PORT.", min=1, max=65535, show_default=False
    ),
]


def use_address(host: str | None, port: int | None) -> None:
    """Let the options stand in the environment, from which every setting is read."""
    if host is not None:
        os.environ["HOST"] = host
    if port is not None:
        os.environ["PORT"] = str(port)
