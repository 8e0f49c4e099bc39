"""Profiles: whatever a provider sends becomes one that the tables hold, or none."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.auth.social.profiles import checked, openid_profile
from app.auth.social.provider import Profile, UserInfoError
from app.auth.social.providers import declaration_of
from app.auth.validation import is_email
from app.settings.providers import BUILT_IN, ProviderSettings

DECLARED = {
    name: declaration_of(
        ProviderSettings(
            id=name,
            client_id="cid",
            client_secret="secret",
            authorization_url="https://h/a",
            token_url="https://h/t",
            userinfo_url="https://h/u",
        )
    )
    for name in (*BUILT_IN, "own")
}

_KEYS = [
    "sub", "id", "oid", "name", "login", "username", "global_name", "display_name",
    "preferred_username", "email", "picture", "avatar", "avatar_url", "images", "email_verified",
    "verified", "verified_primary_email", "data", "confirmed_email", "profile_image_url", "state",
    "locked", "discriminator", "url", "https://slack.com/user_id",
]  # fmt: skip
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["active", "true", "a@example.com", "0", "a_b", "a\0b", "\ud800", "x" * 2000])
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=3)
    ),
    max_leaves=8,
)


def storable(text: str, limit: int) -> bool:
    return len(text) <= limit and "\0" not in text and text.encode().decode() == text


def check(profile: Profile) -> None:
    """What db/schema.sql wants."""
    assert profile.subject
    assert storable(profile.subject, 1000)
    assert len(profile.subject.encode()) <= 1000
    assert storable(profile.name, 1000)
    assert profile.email is None or (is_email(profile.email) and profile.email.islower())
    assert profile.image is None or (profile.image and storable(profile.image, 32_768))
    assert isinstance(profile.email_verified, bool)
    assert profile.email is not None or not profile.email_verified


@pytest.mark.parametrize("name", DECLARED)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(_KEYS), _VALUES) | _VALUES)
@example({"id": "9" * 30, "sub": "s", "oid": "o"})
def test_any_profile_can_be_stored_or_is_refused(name: str, raw: Any) -> None:
    try:
        found = DECLARED[name].profile(checked(raw))
    except UserInfoError:
        return
    check(found)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"sub": "a", "email": "Ann@Example.COM"}, {"email": "ann@example.com"}),
        ({"sub": 5}, {"subject": "5", "name": "", "email": None, "image": None}),
        ({"sub": "a", "name": {}}, {"name": ""}),
        ({"sub": "a", "name": "n" * 5000}, {"name": "n" * 1000}),
        ({"sub": "a", "picture": "p" * 40_000}, {"image": None}),
        ({"sub": "a", "picture": ""}, {"image": None}),
        *(
            ({"sub": "a", "email": wrong, "email_verified": True},
             {"email": None, "email_verified": False})
            for wrong in (5, "", "not an address", "a＠example.com", "a@b", ["a@example.com"],
                          f"{'a' * 250}@example.com", " a@example.com", "a@example.com\n",
                          "mi\N{KELVIN SIGN}e@example.com", "mike@\N{KELVIN SIGN}.example")
        ),
        *(
            ({"sub": "a", "email": "a@b.example", "email_verified": said}, {"email_verified": so})
            for said, so in ((True, True), ("true", True), ("false", False), (1, False),
                                ("yes", False), (None, False), ([], False))
        ),
    ],
)  # fmt: skip
def test_claims_are_read_with_care(raw: dict[str, Any], expected: dict[str, Any]) -> None:
    found = openid_profile(checked(raw))
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize(
    "raw",
    [
        None, [], "sub", 5, {}, {"sub": None}, {"sub": ""}, {"sub": " "}, {"sub": "undefined"},
        {"sub": "null"}, {"sub": True}, {"sub": 1.5}, {"sub": 10**30}, {"sub": ["a"]},
        {"sub": "a" * 1001}, {"sub": "ü" * 501}, {"sub": "a\0"}, {"sub": "a", "name": "\0"},
        {"sub": "a", "x": ["\0"]}, {"sub": "a", "\0": 1}, {"sub": "a", "x": "\udfff"},
        {"sub": "a", "x": json.loads("[" * 100 + "]" * 100)},
    ],
)  # fmt: skip
def test_profile_without_a_subject_or_with_what_no_text_may_hold_is_refused(raw: Any) -> None:
    with pytest.raises(UserInfoError):
        openid_profile(checked(raw))


DISCORD = "https://cdn.discordapp.com"


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("github", {"id": 5, "login": "ann", "name": None, "avatar_url": "https://a/"},
         {"subject": "5", "name": "ann", "image": "https://a/"}),
        ("microsoft", {"sub": "pairwise", "oid": "o", "email": "a@b.example",
                       "verified_primary_email": ["a@b.example"]},
         {"subject": "o", "email_verified": True}),
        ("microsoft", {"oid": "o", "email": "a@b.example", "email_verified": False,
                       "verified_primary_email": ["a@b.example"]}, {"email_verified": False}),
        ("microsoft", {"oid": "o", "email": "a@b.example"}, {"email_verified": False}),
        ("discord", {"id": "80351110224678912", "username": "nelly", "avatar": "a_1f",
                     "verified": True, "email": "a@b.example"},
         {"name": "nelly", "image": f"{DISCORD}/avatars/80351110224678912/a_1f.gif",
          "email_verified": True}),
        ("discord", {"id": "80351110224678912", "global_name": "N", "discriminator": "1337"},
         {"name": "N", "image": f"{DISCORD}/embed/avatars/2.png"}),
        ("discord", {"id": "80351110224678912", "discriminator": "0"},
         {"image": f"{DISCORD}/embed/avatars/{(80351110224678912 >> 22) % 6}.png"}),
        ("facebook", {"id": "1", "picture": {"data": {"url": "https://p/"}}, "email": "a@b.example",
                      "email_verified": True}, {"image": "https://p/", "email_verified": False}),
        ("facebook", {"sub": "2", "picture": "https://p/"}, {"subject": "2", "image": "https://p/"}),
        ("gitlab", {"id": 7, "state": "active", "username": "u"}, {"subject": "7", "name": "u"}),
        ("slack", {"sub": "x", "https://slack.com/user_id": "U1"}, {"subject": "U1"}),
        ("spotify", {"id": "s", "images": [{"url": "https://p/"}], "email": "a@b.example",
                     "email_verified": True}, {"image": "https://p/", "email_verified": False}),
        ("twitter", {"data": {"id": "9", "name": "T"}},
         {"email": "9@twitter.placeholder.invalid", "email_verified": False}),
        ("twitter", {"data": {"id": "9", "confirmed_email": "a@b.example"}},
         {"email": "a@b.example", "email_verified": True}),
        ("twitch", {"sub": "1", "preferred_username": "tv", "name": "no"}, {"name": "tv"}),
        ("own", {"id": 3, "sub": "not this", "name": "O"}, {"subject": "3", "name": "O"}),
    ],
)  # fmt: skip
def test_profile_of_a_provider_reads_as_it_has_it(
    name: str, raw: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = DECLARED[name].profile(checked(raw))
    assert {field: getattr(found, field) for field in expected} == expected


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("gitlab", {"id": 7, "state": "blocked"}),
        ("gitlab", {"id": 7}),
        ("gitlab", {"id": 7, "state": "active", "locked": True}),
        ("microsoft", {"sub": "s"}),
        ("slack", {"sub": "s"}),
    ],
)
def test_profile_that_lacks_what_its_provider_gives_is_refused(
    name: str, raw: dict[str, Any]
) -> None:
    with pytest.raises(UserInfoError):
        DECLARED[name].profile(checked(raw))


PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
TENANT = "11111111-2222-3333-4444-555555555555"


def accepts(claims: dict[str, Any], **fields: Any) -> bool:
    declared = declaration_of(ProviderSettings(client_id="cid", **fields))
    assert declared.id_token is not None
    assert declared.id_token.accepts is not None
    return declared.id_token.accepts(claims)


@pytest.mark.parametrize(
    ("domain", "claim", "good"),
    [
        ("example.com", "example.com", True),
        ("example.com", "evil.example", False),
        ("example.com", None, False),
        ("*", "any.example", True),
        ("*", None, False),
        (None, None, True),
    ],
)
def test_google_account_is_of_the_domain(domain: str | None, claim: Any, good: bool) -> None:
    fields = {"hosted_domain": domain} if domain else {}
    assert accepts({"hd": claim} if claim else {}, id="google", **fields) is good


@pytest.mark.parametrize(
    ("allowed", "tenant", "good"),
    [
        ("common", TENANT, True),
        ("common", PERSONAL, True),
        ("organizations", TENANT, True),
        ("organizations", PERSONAL, False),
        ("consumers", PERSONAL, True),
        ("consumers", TENANT, False),
        (TENANT, TENANT, True),
        (TENANT, PERSONAL, False),
        ("common", None, False),
        ("common", ["a"], False),
        ("organizations", {}, False),
    ],
)
def test_microsoft_account_is_of_the_tenant(allowed: str, tenant: Any, good: bool) -> None:
    authority = "https://login.microsoftonline.com"
    fields = {"id": "microsoft", "tenant_id": allowed}
    claims = {"tid": tenant, "iss": f"{authority}/{tenant}/v2.0"}
    assert accepts(claims, **fields) is good
    assert not accepts({**claims, "iss": f"{authority}/another/v2.0"}, **fields)
    assert not accepts({**claims, "iss": f"https://evil.example/{tenant}/v2.0"}, **fields)
