"""Variables that look like settings and are none.

A misspelt setting would keep its default, which may be less safe than what was meant.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

from ..errors import SettingsError
from .environment import declared, groups

_PREFIX: Final = "GATEPOST_"
_OTHERS: Final = re.compile(
    r"GATEPOST_TEST_\w+|"
    # what Kubernetes tells every container of a Service called gatepost, or gatepost-metrics
    r"GATEPOST_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_[A-Z]+_(PROTO|PORT|ADDR))"
)
_SERVICE_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://")
"""Kubernetes again: GATEPOST_PORT, GATEPOST_PORT_8000_TCP."""


def check_names(cls: Any, environment: Mapping[str, str]) -> None:
    """Refuse a GATEPOST_ variable that is no setting of a dataclass or of those that it holds.

    Raises SettingsError with the name that was probably meant.
    """
    known = {each.name for group in groups(cls) for each in declared(group).values()}
    for name, value in environment.items():
        is_ours = name.startswith(_PREFIX) and not _OTHERS.fullmatch(name)
        if not is_ours or name in known or not value or _SERVICE_ADDRESS.match(value):
            continue
        # without the prefix, which would make all of them alike
        short = {each.removeprefix(_PREFIX): each for each in known}
        near = get_close_matches(name.removeprefix(_PREFIX), short, 1, 0.7)
        meant = f"did you mean {short[near[0]]}?" if near else "unset it"
        raise SettingsError(f"{name} is not a setting: {meant}")
