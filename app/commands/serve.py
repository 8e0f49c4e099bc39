"""``gatepost serve``."""

import os
import sys

from ..migrations.files import INSTALLED
from .address import HostOption, PortOption, use_address
from .help import command_line, epilog

cli = command_line()


@cli.command("serve", epilog=epilog("gatepost serve", "gatepost serve --host 0.0.0.0 --port 8080"))
def serve_command(host: HostOption = None, port: PortOption = None) -> None:
    """Serve on the database in DATABASE_URL, as it is."""
    use_address(host, port)
    sys.stdout.flush()
    # replaces this process, for the service needs none of the command line (app/server.py)
    # -P: installed, it must not find the modules of the project in whose folder it is started
    options = ["-P"] if INSTALLED else []
    package = __name__.partition(".")[0]
    command = [sys.executable, *options, "-m", f"{package}.server"]
    os.execv(sys.executable, command)  # noqa: S606 - no shell
