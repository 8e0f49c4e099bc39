"""The comparison of transcripts must see what it is for."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.interop.auth.compare import differences
from tests.interop.auth.visitor import Answer, Entry, signed

SENT = 1_800_000_000.0
ONE, TWO = "0f0e0d0c-0b0a-4908-8706-050403020100", "1f0e0d0c-0b0a-4908-8706-050403020100"
TOKEN, OTHER = "abcdefghijklmnopqrstuvwxyz012345", "bbcdefghijklmnopqrstuvwxyz012345"


def time(seconds: float) -> str:
    moment = datetime.fromtimestamp(SENT, UTC) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def transcript(*bodies: Any, **headers: str) -> list[Entry]:
    """Requests, one a second, each answered after a tenth of one."""
    return [
        Entry(
            f"request {n}",
            SENT + n,
            SENT + n + 0.1,
            Answer(
                200,
                (
                    ("content-type", "application/json"),
                    *((name.replace("_", "-"), text) for name, text in headers.items()),
                ),
                json.dumps(body).encode(),
            ),
        )
        for n, body in enumerate(bodies)
    ]


def cookie(value: str, attributes: str = "; Max-Age=604800; Path=/") -> str:
    return f"better-auth.session_token={value}{attributes}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (transcript({"id": ONE}, {"id": ONE}), transcript({"id": TWO}, {"id": TWO})),
        (transcript({"t": time(0.05)}), transcript({"t": time(0.01)})),
        (transcript({"t": time(604800.05)}), transcript({"t": time(604800.01)})),
        (transcript({"a": 1, "b": None}), transcript({"b": None, "a": 1})),
        (
            transcript(None, set_cookie=cookie(signed(TOKEN))),
            transcript(None, set_cookie=cookie(signed(OTHER))),
        ),
        (transcript(None, date="Sun"), transcript(None, date="Mon")),
    ],
    ids=["ids", "times", "lives", "order", "tokens", "other headers"],
)
def test_generated_values_may_differ(one: list[Entry], other: list[Entry]) -> None:
    assert list(differences(one, other)) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (transcript({"id": ONE}, {"id": ONE}), transcript({"id": ONE}, {"id": TWO})),
        (transcript({"t": time(0.05)}), transcript({"t": time(0.05).replace("Z", "000Z")})),
        (transcript({"t": time(0.05)}), transcript({"t": time(0.05).replace("Z", "+00:00")})),
        (transcript({"t": time(0.05)}), transcript({"t": time(604800.05)})),
        (transcript({"t": time(604800.05)}), transcript({"t": time(86400.05)})),
        (transcript({}, {"t": time(0.05)}), transcript({}, {"t": time(1.05)})),
        (transcript({"t": time(0.05)}), transcript({"t": time(0.5)})),
        (transcript({"a": None}), transcript({})),
        (transcript({"a": 1}), transcript({"a": True})),
        (transcript(["a", "b"]), transcript(["b", "a"])),
        (transcript(None), transcript({})),
        (transcript(None, None), transcript(None)),
        (transcript(None, location="/a"), transcript(None)),
        (transcript(None, location="/a"), transcript(None, location="/b")),
        (
            transcript(None, set_cookie=cookie(signed(TOKEN))),
            transcript(None, set_cookie=cookie(signed(TOKEN, "another secret"))),
        ),
        (
            transcript(None, set_cookie=cookie(signed(TOKEN))),
            transcript(None, set_cookie=cookie(signed(TOKEN).replace("%", "%25"))),
        ),
        (
            transcript(None, set_cookie=cookie(signed(TOKEN))),
            transcript(None, set_cookie=cookie(signed(TOKEN), "; Path=/; Max-Age=604800")),
        ),
        (
            transcript({"t": TOKEN}, set_cookie=cookie(signed(TOKEN))),
            transcript({"t": TOKEN}, set_cookie=cookie(signed(OTHER))),
        ),
    ],
)
def test_other_values_may_not_differ(one: list[Entry], other: list[Entry]) -> None:
    assert list(differences(one, other))


STATE, OTHER_STATE = "Abcdefghijklmnopqrstuvwxyz-_0123", "Bbcdefghijklmnopqrstuvwxyz-_0123"
AT_GOOGLE = "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&client_id=a&state="


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (transcript({"url": AT_GOOGLE + STATE}), transcript({"url": AT_GOOGLE + OTHER_STATE})),
        (
            transcript({"url": "https://p.test/?response_type=code&state=s&scope=a"}),
            transcript({"url": "https://p.test/?response_type=code&scope=a&state=s"}),
        ),
        (
            transcript({"url": AT_GOOGLE + STATE}),
            transcript({"url": f"{AT_GOOGLE}{STATE}&nonce={OTHER_STATE}"}),
        ),
        (
            transcript(None, set_cookie="better-auth.state=x; Max-Age=300; Path=/"),
            transcript(None, set_cookie="better-auth.state=x; Max-Age=600; Path=/"),
        ),
    ],
    ids=["states", "parameters", "a nonce of ours", "lives of a state's cookie"],
)
def test_sign_in_with_a_provider_may_differ_in_what_is_known(
    one: list[Entry], other: list[Entry]
) -> None:
    assert list(differences(one, other)) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            transcript({"url": AT_GOOGLE + STATE, "state": STATE}),
            transcript({"url": AT_GOOGLE + OTHER_STATE, "state": STATE}),
        ),
        (
            transcript({"url": "https://p.test/?response_type=code&state=s"}),
            transcript({"url": f"https://p.test/?response_type=code&state=s&nonce={STATE}"}),
        ),
        (
            transcript({"url": f"{AT_GOOGLE}{STATE}&scope=a"}),
            transcript({"url": f"{AT_GOOGLE}{STATE}&scope=b"}),
        ),
        (
            transcript(None, set_cookie="better-auth.session_token=x; Max-Age=300; Path=/"),
            transcript(None, set_cookie="better-auth.session_token=x; Max-Age=600; Path=/"),
        ),
    ],
    ids=["another state", "a nonce of others", "another scope", "another cookie's life"],
)
def test_sign_in_with_a_provider_may_not_differ_otherwise(
    one: list[Entry], other: list[Entry]
) -> None:
    assert list(differences(one, other))
