"""The providers' hosts as a process, and what a test tells them."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from tests.social.hosts.declared import OPENID, PLAIN
from tests.social.hosts.stand_in import SECRET, client_id
from tests.support import free_ports, running_process

BUILT_IN: Final = (
    "google", "github", "microsoft", "apple", "discord", "facebook", "gitlab", "linkedin", "slack",
    "spotify", "twitter", "twitch",
)  # fmt: skip
GENERIC: Final = ("openid", "plain")
PLAYED: Final = BUILT_IN + GENERIC


def provider_settings(provider: str, **further: Any) -> dict[str, Any]:
    """An entry of GATEPOST_PROVIDERS for a provider that is played."""
    entry: dict[str, Any] = {
        "id": provider,
        "client_id": client_id(provider),
        "client_secret": SECRET,
    }
    if provider == "openid":
        entry |= {
            "discovery_url": f"{OPENID}/.well-known/openid-configuration",
            "scopes": ["openid", "profile", "email", "offline_access"],
        }
    if provider == "plain":
        entry |= {
            "authorization_url": f"{PLAIN}/authorize",
            "token_url": f"{PLAIN}/token",
            "userinfo_url": f"{PLAIN}/user",
            "scopes": ["read"],
        }
    return entry | further


@dataclass(frozen=True)
class Asked:
    """A request that a provider was sent."""

    method: str
    host: str
    path: str
    endpoint: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    form: Mapping[str, str]

    @property
    def parameters(self) -> dict[str, str]:
        return dict(self.query)


@dataclass(frozen=True)
class RunningHosts:
    """The providers' hosts behind an HTTPS proxy on a port of 127.0.0.1."""

    control: str
    proxy: str
    authority: Path
    """The certificate of the authority that signed theirs."""
    _http: httpx.Client = field(repr=False)

    def proxied_environment(self) -> dict[str, str]:
        """Makes the hosts of a process these: of Gatepost, and of Node (where a ProxyAgent is set
        from HTTPS_PROXY)."""
        local = "127.0.0.1,localhost,::1"
        return {
            "HTTPS_PROXY": self.proxy, "https_proxy": self.proxy,
            "NO_PROXY": local, "no_proxy": local,
            "SSL_CERT_FILE": str(self.authority), "SSL_CERT_DIR": "",
            "NODE_EXTRA_CA_CERTS": str(self.authority),
        }  # fmt: skip

    def reset(self, *providers: str) -> None:
        """Forget who signs in, what fails and what was asked; of all unless some are named."""
        for provider in providers or PLAYED:
            self._tell("POST", f"/reset/{provider}")

    def sign_in_as(self, provider: str, **person: Any) -> None:
        """Set fields of ``Person`` for who signs in there from now on."""
        self._tell("PATCH", f"/people/{provider}", person)

    def fail(self, provider: str, endpoint: str, how: str, *, times: int = 0) -> None:
        """Have an endpoint fail: see ``hosts.faults``. ``times`` 0: until it is reset."""
        self._tell("PUT", f"/faults/{provider}/{endpoint}", {"how": how, "times": times})

    def mend(self, provider: str, endpoint: str) -> None:
        self._tell("DELETE", f"/faults/{provider}/{endpoint}")

    def rotate_keys(self, provider: str) -> None:
        """Another key signs, and the one before is no longer published."""
        self._tell("POST", f"/keys/{provider}")

    def id_token(self, provider: str, **asked: Any) -> str:
        """An ID token of who signs in, as an app has one; ``nonce`` and ``aud`` as they are."""
        return self._tell("POST", f"/id-tokens/{provider}", asked).json()

    def access_token(self, provider: str) -> str:
        """An access token of who signs in, as an app has one."""
        return self._tell("POST", f"/access-tokens/{provider}").json()

    def asked(self, provider: str, endpoint: str | None = None) -> list[Asked]:
        """What it was asked since it was reset, in order."""
        every = [
            Asked(**{**entry, "query": [tuple(pair) for pair in entry["query"]],
                     "form": dict(entry["form"])})
            for entry in self._tell("GET", f"/requests/{provider}").json()
        ]  # fmt: skip
        return [one for one in every if endpoint in (None, one.endpoint)]

    def _tell(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return self._http.request(method, path, json=body).raise_for_status()


@contextmanager
def running_hosts(folder: Path) -> Iterator[RunningHosts]:
    """The process, ready to answer; its certificates and its log go to ``folder``."""
    control_port, proxy_port = free_ports(2)
    (folder / "stranger").mkdir()
    ports = (str(control_port), str(proxy_port))
    control, proxy = (f"http://127.0.0.1:{port}" for port in ports)
    command = [sys.executable, "-m", "tests.social.hosts", folder, *ports]
    with (
        running_process(command, f"{control}/ready", log=folder / "hosts.log"),
        httpx.Client(base_url=control, trust_env=False, timeout=30) as http,
    ):
        yield RunningHosts(control, proxy, folder / "authority.pem", http)
