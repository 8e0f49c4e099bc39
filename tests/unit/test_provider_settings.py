"""GATEPOST_PROVIDERS: JSON, a JSON file, a TOML file; and what is wrong with one."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import SettingsError
from app.settings.providers import BUILT_IN, ProviderSettings, SocialSettings
from tests.support import setting_samples

SECRET = "hunter2"
GITHUB = {"id": "github", "client_id": "cid", "client_secret": SECRET}
DISCOVERY = "https://id.example.com/.well-known/openid-configuration"
OWN = {"id": "own", "client_id": "cid", "client_secret": SECRET, "discovery_url": DISCOVERY}
ADDRESSES = {
    "authorization_url": "https://id.example.com/authorize",
    "token_url": "https://id.example.com/token",
    "userinfo_url": "https://id.example.com/me",
}


def read(*providers: Any) -> tuple[ProviderSettings, ...]:
    environment = {"GATEPOST_PROVIDERS": json.dumps(providers)}
    return SocialSettings.from_environment(environment).providers


def refused(given: Any) -> str:
    text = given if isinstance(given, str) else json.dumps(given)
    with pytest.raises(SettingsError) as raised:
        SocialSettings.from_environment({"GATEPOST_PROVIDERS": text})
    message = str(raised.value)
    assert message.startswith("GATEPOST_PROVIDERS")
    assert SECRET not in message
    assert "\n" not in message
    return message


def test_providers_are_read_from_json_and_from_files(tmp_path: Path) -> None:
    (tmp_path / "providers.json").write_text(json.dumps([GITHUB, OWN]))
    (tmp_path / "providers.toml").write_text(
        f'[[providers]]\nid = "github"\nclient_id = "cid"\nclient_secret = "{SECRET}"\n\n'
        f'[[providers]]\nid = "own"\nclient_id = "cid"\nclient_secret = "{SECRET}"\n'
        f'discovery_url = "{DISCOVERY}"\n'
    )
    expected = read(GITHUB, OWN)
    assert [provider.id for provider in expected] == ["github", "own"]
    bom = "\ufeff"  # Windows' editors write it
    (tmp_path / "bom.json").write_text(bom + json.dumps([GITHUB, OWN]))
    for name in ("providers.json", "providers.toml", "bom.json"):
        environment = {"GATEPOST_PROVIDERS": str(tmp_path / name)}
        assert SocialSettings.from_environment(environment).providers == expected


def test_secret_of_a_provider_is_in_no_repr() -> None:
    assert SECRET not in repr(SocialSettings(providers=read(GITHUB, OWN)))


@pytest.mark.parametrize(("name", "text", "field", "value"), setting_samples(SocialSettings))
def test_rule_of_linking_is_read(name: str, text: str, field: str, value: object) -> None:
    assert getattr(SocialSettings.from_environment({name: text}), field) == value
    assert getattr(SocialSettings(), field) != value


GOOD: list[dict[str, Any]] = [
    *({**GITHUB, "id": name} for name in BUILT_IN),
    {"id": "twitter", "client_id": "public"},
    {**GITHUB, "client_id": ["web", "app"], "scopes": ["repo"], "prompt": "select_account"},
    {**GITHUB, "disable_default_scopes": True, "disable_sign_up": True,
     "disable_implicit_sign_up": True, "override_user_info": True,
     "require_email_verification": True, "disable_id_token_sign_in": True},
    {**GITHUB, "id": "google", "hosted_domain": "*", "access_type": "offline"},
    {**GITHUB, "id": "google", "hosted_domain": "example.com"},
    {**GITHUB, "id": "microsoft", "tenant_id": "organizations"},
    {**GITHUB, "id": "gitlab", "issuer": "http://gitlab.lan", "allow_private_addresses": True},
    {**GITHUB, "id": "apple", "app_bundle_identifier": "com.example.app"},
    {**OWN, **ADDRESSES, "token_endpoint_auth": "basic", "response_mode": "form_post",
     "pkce": False, "disable_provider_logout": True},
    {"id": "own", "client_id": "cid", **ADDRESSES},
    {**OWN, "discovery_url": "http://id.lan:9/x/.well-known/openid-configuration",
     "allow_private_addresses": True},
]  # fmt: skip


@pytest.mark.parametrize("provider", GOOD)
def test_good_provider_is_taken(provider: dict[str, Any]) -> None:
    (found,) = read(provider)
    assert {name: getattr(found, name) for name in provider} == provider


def test_good_providers_cover_every_field() -> None:
    covered = {name for provider in GOOD for name in provider}
    assert covered == {field.name for field in msgspec.structs.fields(ProviderSettings)}


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        ({**GITHUB, "id": "Git Hub"}, "'Git Hub': id must be"),
        ({**GITHUB, "id": "credential"}, "id must be"),
        ({**GITHUB, "id": "a" * 64}, "id must be"),
        ({**GITHUB, "id": 5}, "Expected `str`, got `int` - at `$.id`"),
        ({"client_id": "cid"}, "provider 1: Object missing required field `id`"),
        ("github", "provider 1: Expected `object`"),
        ({"id": "github"}, "'github': Object missing required field `client_id`"),
        ({"id": "github", "client_id": "cid"}, "'github': client_secret is missing"),
        ({**GITHUB, "client_secret": ""}, "client_secret must be"),
        ({**GITHUB, "client_secret": f"{SECRET}\n"}, "client_secret must be"),
        ({**GITHUB, "client_id": ""}, "client_id is empty"),
        ({**GITHUB, "client_id": []}, "client_id is empty"),
        ({**GITHUB, "client_id": ["a", "b c"]}, "client_id is empty, or has spaces"),
        ({**GITHUB, "scopes": "repo"}, "$.scopes"),
        ({**GITHUB, "scopes": ["a b"]}, "scopes must be a list of words"),
        ({**GITHUB, "prompt": "a&b"}, "prompt must be"),
        ({**GITHUB, "client_sercet": SECRET}, "field 'client_sercet'; did you mean client_secret?"),
        ({**GITHUB, "discovery_url": DISCOVERY}, "discovery_url is for providers that are not"),
        ({**GITHUB, "pkce": False}, "pkce is for providers"),
        ({**GITHUB, "tenant_id": "common"}, "tenant_id is for microsoft only"),
        ({**GITHUB, "allow_private_addresses": True}, "its addresses are public"),
        ({**GITHUB, "id": "microsoft", "tenant_id": "example.com"}, "tenant_id must be common"),
        ({**GITHUB, "id": "google", "access_type": "on"}, "access_type must be"),
        ({**GITHUB, "id": "google", "hosted_domain": "@example.com"}, "hosted_domain must be"),
        ({**GITHUB, "id": "apple", "app_bundle_identifier": "a b"}, "app_bundle_identifier"),
        ({**GITHUB, "id": "gitlab", "issuer": "http://gitlab.lan"}, "must begin with https"),
        ({**OWN, "discovery_url": None}, "needs discovery_url, or authorization_url"),
        ({**OWN, "discovery_url": "https://id.example.com"}, "must end with /.well-known"),
        ({**OWN, "discovery_url": DISCOVERY.replace("//", f"//u:{SECRET}@")}, "is not an address"),
        ({**OWN, "token_url": "https://[::1"}, "token_url is not an address"),
        ({**OWN, "token_url": "https://h:99999/"}, "token_url is not an address"),
        ({**OWN, "token_url": "https:///token"}, "token_url is not an address"),
        ({**OWN, "token_url": "https://h/a b"}, "token_url is not an address"),
        ({**OWN, "userinfo_url": "ftp://h/"}, "userinfo_url must begin with https"),
        ({**OWN, "authorization_url": "javascript:1"}, "authorization_url must begin with"),
        ({**OWN, "hosted_domain": "*"}, "hosted_domain is for google only"),
        ({**GITHUB, "clientId": "cid"}, "field 'clientId'; did you mean client_id?"),
        ({**GITHUB, "colour": SECRET}, "there is no field 'colour'"),
        ({**OWN, "token_endpoint_auth": SECRET}, "token_endpoint_auth must be post or basic"),
        ({**OWN, "response_mode": SECRET}, "response_mode must be query or form_post"),
        ({**OWN, "client_secret": None, "token_endpoint_auth": "basic"}, "which basic needs"),
        ({**OWN, "client_secret": None, "pkce": False}, "and pkce is off"),
    ],
)  # fmt: skip
def test_wrong_provider_is_refused_by_name(provider: Any, said: str) -> None:
    assert said in refused([provider])


def test_wrong_list_is_refused(tmp_path: Path) -> None:
    assert "two providers are called 'github'" in refused([GITHUB, GITHUB])
    for text in ("[", "{", "[" * 100_000, "[1}"):
        assert refused(text).startswith("GATEPOST_PROVIDERS is not JSON")
    missing_comma = f'[\n{{"id": "github" "client_secret": "{SECRET}"}}]'
    assert refused(missing_comma).endswith("JSON: line 2, column 17: Expecting ',' delimiter")
    for text in ("[]", "{}", '{"providers": []}'):
        assert "must be a list, such as [{" in refused(text)
    assert "No such file" in refused(str(tmp_path / "absent.json"))
    assert "Is a directory" in refused(str(tmp_path))
    slips = ("'{}'", '"{}"', "PROVIDERS={}", "\ufeff{}", "a\n{}")
    for text in (*(slip.replace("{}", json.dumps([GITHUB])) for slip in slips), SECRET, "\udcff"):
        assert refused(text).endswith("[, nor the path of a file")
    for name, content, said in (
        ("a.json", f"[{SECRET}]", "is not JSON: line 1, column 2: Expecting value"),
        ("a.toml", f"a = {SECRET}", "is not TOML: line 1, column 5"),
        ("c.toml", f'a = "{SECRET}', "is not TOML: "),
        ("d.toml", f"[{SECRET}]\n[{SECRET}]\n", "is not TOML: line 2, column "),
        ("conf", "[[providers]]\nid = 'a'\n", "a TOML file has to end with .toml"),
        ("b.toml", 'a = "b"', "such as [[providers]]"),
        ("b.json", "\udcff", "is not UTF-8"),
    ):
        (tmp_path / name).write_text(content, errors="surrogateescape")
        assert said in refused(str(tmp_path / name))


_FIELDS = [field.name for field in msgspec.structs.fields(ProviderSettings)]
_VALUES = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=3)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(_FIELDS), _VALUES)
def test_any_value_of_a_field_is_taken_or_refused(name: str, value: object) -> None:
    try:
        (found,) = read({**OWN, name: value})
    except SettingsError as error:
        message = str(error)
    else:
        message = "" if getattr(found, name) == value else "another value"
    assert message == "" or message.startswith("GATEPOST_PROVIDERS: provider ")
