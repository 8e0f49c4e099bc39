"""The settings of webhooks."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from .environment import BOOLEAN, read, setting


@dataclass(frozen=True, kw_only=True)
class WebhookSettings:
    """[Webhooks](WEBHOOKS.md), which `gatepost webhooks` adds and lists."""

    # fmt: off
    deliver: bool = setting("GATEPOST_WEBHOOKS", BOOLEAN, default=False,
        doc="Deliver webhooks in the background of the service; `gatepost webhooks deliver` does "
            "it by itself. Needs `GATEPOST_SECRET`, and [the extra "
            "`webhooks`](WEBHOOKS.md#add-one).")
    private_addresses: bool = setting("GATEPOST_WEBHOOKS_PRIVATE_ADDRESSES", BOOLEAN, default=False,
        doc="Let webhooks lead into your own network, and with `http` to this machine: whoever may "
            "add one can then make the service ask what only you can reach.")
    # fmt: on

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "WebhookSettings":
        return cls(**read(cls, environment))


def has_packages() -> bool:
    """Whether what delivering needs is installed."""
    return find_spec("cryptography") is not None and find_spec("httpx") is not None
