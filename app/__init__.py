"""Gatepost: users and sessions on PostgreSQL, without an ORM.

Installed, this package is called ``gatepost``; in a checkout it is the folder ``app``, so its
modules import each other by relative names.

    from gatepost import create_app
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .main import create_app

__all__ = ["__version__", "create_app"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # on demand: the command line does without the application
    if name != "create_app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .main import create_app

    return create_app
