"""Where the log goes: standard error."""

import logging


def configure_logging() -> None:
    """Send Gatepost's log to standard error, unless the process has set it up already."""
    root = logging.getLogger("gatepost")
    if not root.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(message)s"))
        root.addHandler(handler)
        root.setLevel(logging.INFO)
        root.propagate = False
