"""oidc-provider, the certified OpenID provider for Node, as two providers of a service.

``post`` wants client_secret_post and PKCE, and gives the claims at its userinfo endpoint; ``basic``
wants client_secret_basic, answers by form_post, and has the claims in the ID token. Both rotate
refresh tokens and have an end of the session. Who signs in is named by ``login_hint`` or, without,
in a form: an address, which is the subject too (``unverified…``: not verified; ``nobody``:
declines).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import httpx

from tests.support import free_ports, running_process

NODE: Final = Path(__file__).parent / "node"
SECRET: Final = "s:cr t/with+%&=~"
Name = Literal["post", "basic"]
NAMES: Final[tuple[Name, ...]] = ("post", "basic")


@dataclass(frozen=True)
class OidcProvider:
    """The running providers."""

    ports: dict[Name, int]
    control: int

    def issuer(self, name: Name) -> str:
        return f"http://localhost:{self.ports[name]}"  # another site than the service's

    def settings(self, name: Name, **further: Any) -> dict[str, Any]:
        """Its entry of GATEPOST_PROVIDERS."""
        entry: dict[str, Any] = {
            "id": name,
            "client_id": f"{name}-client",
            "client_secret": SECRET,
            "discovery_url": f"{self.issuer(name)}/.well-known/openid-configuration",
            "scopes": ["openid", "profile", "email", "offline_access"],
            "prompt": "consent",
            "token_endpoint_auth": name,
            "allow_private_addresses": True,
        }
        if name == "basic":
            entry |= {"response_mode": "form_post", "pkce": False}
        return entry | further

    def asked(self) -> list[dict[str, str]]:
        """The requests that came since this was asked last: provider, method, url, authorization
        (its scheme)."""
        return httpx.get(f"http://127.0.0.1:{self.control}/", timeout=30).json()


@contextmanager
def oidc_provider(node: Path, service_url: str, log: Path) -> Iterator[OidcProvider]:
    """The process, for the service that will be at ``service_url``."""
    *ports, control = free_ports(len(NAMES) + 1)
    by_name = dict(zip(NAMES, ports, strict=True))
    environment = {
        "PORTS": json.dumps(by_name),
        "REDIRECTS": json.dumps(
            {name: [f"{service_url}/api/auth/callback/{name}"] for name in NAMES}
        ),
        "CONTROL": str(control),
    }
    url = f"http://127.0.0.1:{control}/"
    with running_process([node, "provider.mjs"], url, folder=NODE, log=log, **environment):
        yield OidcProvider(by_name, control)
