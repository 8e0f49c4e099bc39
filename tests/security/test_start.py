"""What is refused at the start, and what the service leaves on disk."""

import os
import secrets
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from app.errors import SettingsError
from app.settings.environment import secret_list
from tests.support import ROOT, SECRET, Server, environment, running_service

GUESSABLE = [
    "better-auth-secret-12345678901234567890",  # Better Auth's default
    "better-auth-secret-123456789012345",
    "a" * 32,
    "a" * 31 + "b",
    "ab" * 20,
    "recipes-" * 4,
    "0123456789abcdef0123456789abcdef",
    "12345678901234567890123456789012",
    "abcdefghijklmnopqrstuvwxyz0123456789",
    "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffgggggggghhhhhhhh",
    "changeme-changeme-or-else-it-is-known",
    "please-change-this-secret-in-production",
    "your-secret-key-at-least-32-characters-long",
    "your_better_auth_secret_of_32_characters",
    "my super secret of thirty-two characters",
    "<replace me with openssl rand -base64 32>",
    "insecure-development-only-8237462837",
    "GATEPOST_SECRET_of_thirty_two_characters",
    "placeholder-1f8b3c5d7e9a2b4c6d8e0f1a",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxy",
]


@pytest.mark.parametrize("secret", GUESSABLE)
def test_secret_that_can_be_guessed_is_refused(secret: str) -> None:
    for value in (secret, f"{SECRET},{secret}"):
        with pytest.raises(SettingsError) as refused:
            secret_list.parse("GATEPOST_SECRET", value)
        message = str(refused.value)
        assert message.startswith("GATEPOST_SECRET: ")
        assert "openssl rand -hex 32" in message
        assert secret not in message
        assert "\n" not in message


def test_random_secrets_are_taken() -> None:
    for _ in range(2000):
        for secret in (
            secrets.token_hex(16),
            secrets.token_urlsafe(24),
            secrets.token_urlsafe(32),
            "".join(secrets.choice("0123456789") for _ in range(32)),
        ):
            assert secret_list.parse("GATEPOST_SECRET", secret) == (secret,)


def test_service_with_a_default_secret_ends_with_one_line() -> None:
    settings = {
        "GATEPOST_SECRET": "better-auth-secret-12345678901234567890",
        "GATEPOST_BASE_URL": "http://auth.gatepost.test",
    }
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve"],
        cwd=ROOT, env=environment("postgres://127.0.0.1:1/none") | settings,
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "GATEPOST_SECRET: it is a published default or placeholder" in line


def test_mail_file_is_the_owners_alone(postgres: Server, template: str, tmp_path: Path) -> None:
    path = tmp_path / "mails"
    settings = {
        "GATEPOST_SECRET": SECRET,
        "GATEPOST_BASE_URL": "http://auth.gatepost.test",
        "GATEPOST_REQUIRE_EMAIL_VERIFICATION": "true",
        "MAIL_FILE": str(path),
    }
    before = os.umask(0)
    try:
        with (
            postgres.database(template) as database,
            running_service(postgres.url(database), tmp_path / "log", **settings) as service,
        ):
            body = {"name": "Ann", "email": "ann@example.com", "password": "correct horse"}
            httpx.post(f"{service.url}/api/auth/sign-up/email", json=body)
            assert "ann@example.com" in path.read_text()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
