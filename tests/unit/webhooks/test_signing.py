"""Signatures: the library that receivers use takes them, and nothing else."""

from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.webhooks import signing
from app.webhooks.signing import Vault
from tests.support import SECRET

BODY = '{"type":"user.created","data":{"name":"Ada – 阿"}}'.encode()


def now() -> datetime:
    """The library compares with its own clock, and these tests may begin long after the import."""
    return datetime.now(UTC)


def test_signature_is_verified_with_the_secret() -> None:
    secret = signing.new_secret()
    headers = signing.headers([secret], "m1", now(), BODY)
    assert Webhook(secret).verify(BODY, headers) == {
        "type": "user.created",
        "data": {"name": "Ada – 阿"},
    }
    assert signing.new_secret() != secret


def test_example_of_the_specification_is_signed_as_there() -> None:
    """The vector in the tests of Standard Webhooks' libraries."""
    headers = signing.headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        datetime.fromtimestamp(1614265330, UTC),
        b'{"test": 2432232314}',
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-id", "m2"),
        ("webhook-timestamp", "a minute later"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ],
)
def test_changed_message_is_refused(name: str, value: str) -> None:
    secret = signing.new_secret()
    if value == "a minute later":  # no name of a test, which all workers have to agree on
        value = str(int(now().timestamp()) + 60)
    headers = signing.headers([secret], "m1", now(), BODY) | {name: value}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, headers)


def test_body_or_secret_of_another_is_refused() -> None:
    secret, other = signing.new_secret(), signing.new_secret()
    headers = signing.headers([secret], "m1", now(), BODY)
    for given, body in ((secret, BODY + b" "), (other, BODY)):
        with pytest.raises(WebhookVerificationError):
            Webhook(given).verify(body, headers)


def test_replayed_message_is_refused() -> None:
    secret = signing.new_secret()
    headers = signing.headers([secret], "m1", now() - timedelta(minutes=6), BODY)
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(secret).verify(BODY, headers)


def test_two_secrets_sign_side_by_side() -> None:
    new, old, other = (signing.new_secret() for _ in range(3))
    headers = signing.headers([new, old], "m1", now(), BODY)
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (new, old):
        assert Webhook(secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(BODY, headers)


def test_secret_is_opened_with_any_secret_of_the_service_and_no_other() -> None:
    secret, newer = signing.new_secret(), "N" * 32
    sealed = Vault([SECRET]).seal(secret)
    assert secret not in sealed
    assert Vault([newer, SECRET]).open(sealed) == secret
    vault = Vault([newer])
    assert (vault.open(sealed), vault.open(sealed)) == (None, None)
    assert vault.open("no hex") is None
