"""docs/PROVIDERS.md and docs/ERRORS.md say what the declarations, settings and redirects do."""

import re

import msgspec

from app.auth.social import provider
from app.auth.social.providers import declaration_of
from app.settings.environment import declared
from app.settings.providers import BUILT_IN, ProviderSettings, SocialSettings
from tests.support import ROOT

PAGE = (ROOT / "docs" / "PROVIDERS.md").read_text()
ERRORS = (ROOT / "docs" / "ERRORS.md").read_text()


def section(heading: str, page: str = PAGE) -> str:
    text = page.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert text, heading
    return text


def rows(heading: str, page: str = PAGE) -> list[list[str]]:
    """The cells of the tables below a heading."""
    lines = [line for line in section(heading, page).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def first_names(heading: str, page: str = PAGE) -> set[str]:
    return {name for row in rows(heading, page) for name in re.findall(r"`(\w+)`", row[0])}


def test_table_of_providers_has_what_is_declared() -> None:
    found = {row[0].strip("`"): row[2:4] for row in rows("The built-in providers")[1:]}
    expected = {}
    for name in BUILT_IN:
        declaration = declaration_of(ProviderSettings(id=name, client_id="x"))
        pkce = "yes" if declaration.pkce else "no"
        expected[name] = [f"`{' '.join(declaration.scopes)}`", pkce]
    assert found == expected


def test_every_setting_of_a_provider_is_explained() -> None:
    named = {field.name for field in msgspec.structs.fields(ProviderSettings)}
    assert first_names("Settings of a provider") == named


def test_every_rule_of_linking_is_explained() -> None:
    elsewhere = {"GATEPOST_PROVIDERS", "GATEPOST_ENCRYPT_OAUTH_TOKENS", "GATEPOST_OAUTH_STATE"}
    kept = {"GATEPOST_UPDATE_ACCOUNT_ON_SIGN_IN"}
    rules = {setting.name for setting in declared(SocialSettings).values()} - elsewhere - kept
    assert set(re.findall(r"GATEPOST_\w+", section("Who it is: linking"))) == rules


def test_every_error_of_a_callback_is_explained() -> None:
    raised = {
        code
        for module in (ROOT / "app" / "auth" / "social").glob("*.py")
        for code in re.findall(
            r'(?:RefusedError\(|failure\.code = |Refusal\()"(\w+)"', module.read_text()
        )
    }
    assert {"state_mismatch", "account_not_linked", "signup_disabled"} <= raised
    classes = (provider.InvalidCodeError, provider.UserInfoError, provider.ProviderUnavailableError)
    raised |= {each.code for each in classes}
    unseen = {"linking_failed"}  # an ID token's, which has an answer of its own
    explained = first_names("Coming back from a provider", ERRORS)
    assert raised - unseen - explained == set()
