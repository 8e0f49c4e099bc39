"""The providers that people sign in with, and the rules that join their accounts to users.

GATEPOST_PROVIDERS is a list of objects: JSON, or a JSON or TOML file (TOML: ``[[providers]]``).
"""

import json
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from ..errors import SettingsError
from .environment import BOOLEAN, one_of, parser, quoted, read, setting, texts

BuiltIn = Literal[
    "apple", "discord", "facebook", "github", "gitlab", "google", "linkedin", "microsoft", "slack",
    "spotify", "twitch", "twitter",
]  # fmt: skip
BUILT_IN: Final[tuple[BuiltIn, ...]] = get_args(BuiltIn)
OAuthState = Literal["database", "cookie"]


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider as it is configured.

    One whose ``id`` is in ``BUILT_IN`` knows its addresses. Any other is generic: it has
    ``discovery_url`` (OpenID Connect Discovery), or ``authorization_url``, ``token_url`` and
    ``userinfo_url``; the ones that are given go before the discovered ones.
    """

    id: str
    client_id: str | list[str]
    """Of several the first asks; the ID tokens of all are good."""
    client_secret: str | None = None
    scopes: list[str] = []
    """Besides the provider's own."""
    prompt: str | None = None
    disable_default_scopes: bool = False
    disable_sign_up: bool = False
    disable_implicit_sign_up: bool = False
    """A new user needs ``requestSignUp``."""
    override_user_info: bool = False
    """Name, picture and address follow the provider at each sign-in."""
    require_email_verification: bool = False
    disable_id_token_sign_in: bool = False
    # built-in ones
    hosted_domain: str | None = None
    """google: ``hd``, enforced on the claim; ``*``: any."""
    access_type: str | None = None
    """google: ``offline`` for a refresh token."""
    tenant_id: str | None = None
    """microsoft: ``common`` unless set."""
    issuer: str | None = None
    """gitlab: the address of an instance of one's own."""
    app_bundle_identifier: str | None = None
    """apple: the audience of an app's ID tokens."""
    # generic ones
    discovery_url: str | None = None
    authorization_url: str | None = None
    token_url: str | None = None
    userinfo_url: str | None = None
    token_endpoint_auth: Literal["basic", "post"] = "post"  # noqa: S105
    response_mode: Literal["query", "form_post"] | None = None
    pkce: bool = True
    allow_private_addresses: bool = False
    """The provider is in a private network."""
    disable_provider_logout: bool = False

    def __repr__(self) -> str:
        return f"ProviderSettings(id={self.id!r})"

    @property
    def is_built_in(self) -> bool:
        return self.id in BUILT_IN

    @property
    def public_only(self) -> bool:
        """Whether it is asked at public addresses alone: all but those that are known."""
        is_known = self.is_built_in and self.issuer is None
        return not is_known and not self.allow_private_addresses

    @property
    def client_ids(self) -> list[str]:
        return [self.client_id] if isinstance(self.client_id, str) else self.client_id


@parser("a JSON list, or the path of a JSON or TOML file")
def provider_list(name: str, text: str) -> tuple[ProviderSettings, ...]:
    source, given = _read(name, text)
    if not isinstance(given, list) or not given:
        form = "[[providers]]" if source.endswith(".toml") else '[{"id": "github", …}]'
        raise SettingsError(f"{source}: must be a list, such as {form}")
    found: dict[str, ProviderSettings] = {}
    for position, entry in enumerate(given, 1):
        given_id = entry.get("id") if isinstance(entry, dict) else None
        which = quoted(given_id) if isinstance(given_id, str) else position
        where = f"{source}: provider {which}"
        try:
            provider = msgspec.convert(entry, ProviderSettings)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{where}: {_reason(entry, error)}") from None
        _check(where, provider)
        if provider.id in found:
            raise SettingsError(f"{source}: two providers are called {provider.id!r}")
        found[provider.id] = provider
    return tuple(found.values())


def _reason(entry: Any, error: msgspec.ValidationError) -> str:
    """What is wrong with the form of an entry, without a value of it."""
    known = [each.name for each in msgspec.structs.fields(ProviderSettings)]
    for name in entry if isinstance(entry, dict) else ():
        if name not in known:
            near = get_close_matches(name, known, 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            return f"there is no field {quoted(name)}{meant}"
    for name, words in _WORDS.items():
        if str(error).endswith(f"`$.{name}`"):
            return f"{name} must be {words}"
    return str(error)


def _read(name: str, text: str) -> tuple[str, Any]:
    """The source as errors name it, and what it holds. A text that is neither may still hold a
    secret, such as JSON in one quotation mark too many, so nothing of it is quoted."""
    if text.lstrip().startswith(("[", "{")):
        return name, _json(name, text)
    neither = f"{name} is neither a JSON list, which begins with [, nor the path of a file"
    if not re.fullmatch(r"[^\x00-\x1f\x7f\[\]{}\"']+", text):
        raise SettingsError(neither)
    source = f"{name}: {text}"
    try:
        content = Path(text).read_text("utf-8-sig")
    except OSError as error:
        if not re.match(r"[./]|.*\.(json|toml)$", text):
            raise SettingsError(neither) from None
        raise SettingsError(f"{source}: {error.strerror or 'cannot be read'}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{source} is not UTF-8") from None
    except ValueError:  # a character that no path has
        raise SettingsError(neither) from None
    if text.endswith(".toml"):
        return source, _toml(source, content)
    if content.lstrip().startswith("[["):
        raise SettingsError(f"{source}: the name of a TOML file has to end with .toml")
    return source, _json(source, content)


def _json(source: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:  # its message quotes nothing
        where = f"line {error.lineno}, column {error.colno}"
        raise SettingsError(f"{source} is not JSON: {where}: {error.msg}") from None
    except (ValueError, RecursionError):
        raise SettingsError(f"{source} is not JSON") from None


def _toml(source: str, text: str) -> Any:
    try:
        return tomllib.loads(text).get("providers")
    except (ValueError, RecursionError) as error:
        # the message may quote the text
        where = re.search(r"\(at (line \d+, column \d+|end of document)\)$", str(error))
        raise SettingsError(f"{source} is not TOML{f': {where[1]}' if where else ''}") from None


_URLS: Final = ("discovery_url", "authorization_url", "token_url", "userinfo_url", "issuer")
_OWN: Final = {
    "hosted_domain": "google",
    "access_type": "google",
    "tenant_id": "microsoft",
    "issuer": "gitlab",
    "app_bundle_identifier": "apple",
}
"""Fields of one provider alone, and which."""
_GENERIC: Final = (
    "discovery_url", "authorization_url", "token_url", "userinfo_url", "token_endpoint_auth",
    "response_mode", "pkce", "disable_provider_logout",
)  # fmt: skip
_PUBLIC: Final = ("gitlab", "microsoft", "spotify", "twitter")
"""Built-in ones that know clients without a secret."""
_FORMS: Final = {
    "client_secret": (r"[^\x00-\x1f\x7f]+", "a text on one line"),
    "prompt": (r"[a-z_]+( [a-z_]+)*", "words such as select_account"),
    "hosted_domain": (r"\*|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", "a domain, or *"),
    "access_type": ("online|offline", "online or offline"),
    "tenant_id": (
        "common|organizations|consumers|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        "common, organizations, consumers, or the id of a tenant in small letters",
    ),
    "app_bundle_identifier": (r"[A-Za-z0-9.-]+", "such as com.example.app"),
}
_WORDS: Final = {
    "token_endpoint_auth": "post or basic",
    "response_mode": "query or form_post",
}
_MAX_NAME: Final = 63  # the row of a rate limit, and addresses, hold it


def _check(where: str, provider: ProviderSettings) -> None:
    """Raises SettingsError, which quotes no value."""
    if provider.id == "credential" or not re.fullmatch(
        f"[a-z0-9][a-z0-9_-]{{0,{_MAX_NAME - 1}}}", provider.id
    ):
        raise SettingsError(
            f"{where}: id must be 1 to {_MAX_NAME} small letters, digits, - or _, "
            "and not credential"
        )
    if not provider.client_ids or not all(map(_is_word, provider.client_ids)):
        raise SettingsError(f"{where}: client_id is empty, or has spaces")
    if not all(map(_is_word, provider.scopes)):
        raise SettingsError(f"{where}: scopes must be a list of words")
    for name, (pattern, form) in _FORMS.items():
        value = getattr(provider, name)
        if value is not None and not re.fullmatch(pattern, value):
            raise SettingsError(f"{where}: {name} must be {form}")
    for name in _URLS:
        if (value := getattr(provider, name)) is not None:
            _check_url(f"{where}: {name}", value, provider)
    if provider.is_built_in:
        _check_built_in(where, provider)
    else:
        _check_generic(where, provider)


def _is_word(text: str) -> bool:
    return re.fullmatch(r"[\x21-\x7e]+", text) is not None


def _check_url(what: str, value: str, provider: ProviderSettings) -> None:
    with suppress(ValueError):  # a malformed port or IPv6 address
        parts = urlsplit(value)
        plain = parts.scheme == "http" and provider.allow_private_addresses
        if parts.scheme != "https" and not plain:
            raise SettingsError(
                f"{what} must begin with https://, or http:// with allow_private_addresses"
            )
        if parts.hostname and parts.port != 0 and "@" not in parts.netloc and _is_word(value):
            return
    raise SettingsError(f"{what} is not an address such as https://id.example.com/path")


def _check_built_in(where: str, provider: ProviderSettings) -> None:
    for name in _GENERIC:
        if _is_given(provider, name):
            raise SettingsError(f"{where}: {name} is for providers that are not built in")
    for name, owner in _OWN.items():
        if _is_given(provider, name) and provider.id != owner:
            raise SettingsError(f"{where}: {name} is for {owner} only")
    if provider.allow_private_addresses and provider.issuer is None:
        raise SettingsError(f"{where}: allow_private_addresses: its addresses are public")
    if provider.client_secret is None and provider.id not in _PUBLIC:
        raise SettingsError(f"{where}: client_secret is missing")


def _check_generic(where: str, provider: ProviderSettings) -> None:
    for name, owner in _OWN.items():
        if _is_given(provider, name):
            raise SettingsError(f"{where}: {name} is for {owner} only")
    complete = provider.authorization_url and provider.token_url and provider.userinfo_url
    if not complete and provider.discovery_url is None:
        raise SettingsError(
            f"{where} is not one of {', '.join(BUILT_IN)}, so it needs discovery_url, or "
            "authorization_url, token_url and userinfo_url"
        )
    if provider.discovery_url is not None and "/.well-known/" not in provider.discovery_url:
        raise SettingsError(
            f"{where}: discovery_url must end with /.well-known/openid-configuration"
        )
    if provider.client_secret is None:
        if provider.token_endpoint_auth == "basic":  # noqa: S105
            raise SettingsError(f"{where}: client_secret is missing, which basic needs")
        if not provider.pkce:
            raise SettingsError(f"{where}: client_secret is missing, and pkce is off")


def _is_given(provider: ProviderSettings, name: str) -> bool:
    return getattr(provider, name) != _DEFAULTS[name]


def has_packages() -> bool:
    """Whether what signing in with a provider needs is installed."""
    return find_spec("cryptography") is not None and find_spec("httpx") is not None


_DEFAULTS: Final = {field.name: field.default for field in msgspec.structs.fields(ProviderSettings)}


@dataclass(frozen=True, kw_only=True)
class SocialSettings:
    """Sign-in with [providers](PROVIDERS.md), when `GATEPOST_PROVIDERS` names some."""

    # fmt: off
    providers: tuple[ProviderSettings, ...] = setting(
        "GATEPOST_PROVIDERS", provider_list, default=(), secret=True,
        doc="The providers, each with `id`, `client_id` and `client_secret`; needs "
            "[the extra `social`](PROVIDERS.md#sign-in-with-github).")
    trusted_providers: tuple[str, ...] = setting("GATEPOST_TRUSTED_PROVIDERS", texts, default=(),
        doc="Providers whose word for an address counts, even where they have not verified it: "
            "each can then name any address, and so sign in as any user who has verified theirs.")
    account_linking: bool = setting("GATEPOST_ACCOUNT_LINKING", BOOLEAN, default=True,
        doc="Whether a user can have accounts of several providers.")
    implicit_linking: bool = setting("GATEPOST_IMPLICIT_LINKING", BOOLEAN, default=True,
        doc="Whether signing in with a provider joins the user who has the same address, when both "
            "sides have verified it.")
    link_different_emails: bool = setting("GATEPOST_LINK_DIFFERENT_EMAILS", BOOLEAN, default=False,
        doc="Let a user who is signed in link an account that has another address.")
    link_unverified_users: bool = setting("GATEPOST_LINK_UNVERIFIED_USERS", BOOLEAN, default=False,
        doc="Join accounts to users who have not verified their address. Their password, sessions "
            "and other accounts end with it: they may be those of somebody who only claimed it.")
    update_user_on_link: bool = setting("GATEPOST_UPDATE_USER_ON_LINK", BOOLEAN, default=False,
        doc="Take name and picture from an account that is linked.")
    unlink_last_account: bool = setting("GATEPOST_UNLINK_LAST_ACCOUNT", BOOLEAN, default=False,
        doc="Let users remove the last of the ways they sign in.")
    update_account_on_sign_in: bool = setting(
        "GATEPOST_UPDATE_ACCOUNT_ON_SIGN_IN", BOOLEAN, default=True,
        doc="Keep the provider's new tokens at each sign-in.")
    encrypt_oauth_tokens: bool = setting("GATEPOST_ENCRYPT_OAUTH_TOKENS", BOOLEAN, default=False,
        doc="Encrypt the providers' access and refresh tokens with `GATEPOST_SECRET`, as Better "
            "Auth's `account.encryptOAuthTokens`.")
    oauth_state: OAuthState = setting(
        "GATEPOST_OAUTH_STATE", one_of(*get_args(OAuthState)), default="database",
        doc="Where a sign-in is kept while the user is at the provider: in `verifications`, or "
            "encrypted in a `cookie`, as Better Auth's `account.storeStateStrategy`.")
    # fmt: on

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "SocialSettings":
        values = read(cls, environment)
        known = [provider.id for provider in values.get("providers", ())]
        for name in values.get("trusted_providers", ()):
            if known and name not in known:
                raise SettingsError(
                    f"GATEPOST_TRUSTED_PROVIDERS: {name!r} is not in GATEPOST_PROVIDERS"
                )
        return cls(**values)
