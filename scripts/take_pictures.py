"""Take the pictures in docs/images: `make images`. It needs Chromium and its chromedriver.

They show the page of the development server, with somebody signed in on two devices, its provider,
and the example with providers, whose script needs Node. PORT as for `make serve`.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

from tests.browser import Browser, driver, new_browser
from tests.support import ROOT, answers, end, free_port, wait_until

IMAGES: Final = ROOT / "docs" / "images"
ADA: Final = {"email": "ada@example.com", "password": "lovely analytical engine"}
PHONE: Final = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)
WIDE: Final = (1280, 1330)  # down to the end of what runs
NARROW: Final = (360, 1560)
FORM: Final = (720, 560)
EXAMPLE: Final = (720, 420)
FASTAPI: Final = ROOT / "examples" / "fastapi"


@contextmanager
def service() -> Iterator[str]:
    """``gatepost dev`` in a folder of its own; gives its address."""
    url = f"http://127.0.0.1:{os.environ.setdefault('PORT', '8000')}"
    with tempfile.TemporaryDirectory(prefix="gatepost-") as parent:
        Path(parent).chmod(0o711)  # for the user that PostgreSQL runs as
        folder = Path(parent, "shop")
        folder.mkdir()
        more = {"PYTHONPATH": str(ROOT), "GATEPOST_TRUSTED_ORIGINS": "http://127.0.0.1:*"}
        command = [sys.executable, "-m", "app.cli", "dev"]
        with running(command, folder, f"{url}/readyz", **more):
            yield url


@contextmanager
def example(gatepost: str) -> Iterator[str]:
    """The FastAPI example with three providers; gives its address."""
    url = f"http://127.0.0.1:{free_port()}"
    for arguments in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        subprocess.run(["npm", "--silent", *arguments], cwd=FASTAPI, check=True)  # noqa: S607
    command = [sys.executable, "-m", "uvicorn", "main:app", "--port", url.rpartition(":")[2]]
    given = {"GATEPOST_URL": gatepost, "PROVIDERS": "local,google,github"}
    with running(command, FASTAPI, url, **given):
        yield url


@contextmanager
def running(command: list[str], folder: Path, url: str, **more: str) -> Iterator[None]:
    """A process that answers at an address."""
    environment = os.environ | more
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: process.poll() is not None or answers(url), f"{url} answers")
        if process.poll() is not None:
            raise SystemExit(process.returncode)
        yield
    finally:
        end(process)


def sign_up(page: Browser, url: str) -> None:
    """Sign somebody up, and in on a second device, and send a mail."""
    page.field("Name").fill("Ada Lovelace")
    page.field("Email address").fill(ADA["email"])
    page.field("Password").fill(ADA["password"])
    page.button("Sign up").click()
    page.waits_for("You are signed up, and signed in.", "#message")
    phone = {"User-Agent": PHONE}
    httpx.post(f"{url}/api/auth/sign-in/email", json=ADA, headers=phone).raise_for_status()
    page.button("Send a verification mail").click()
    page.waits_for("Verify your email address", "#mails")
    page.waits_for("Safari on iOS", "#devices")
    page.waits_for("A mail was sent", "#message")


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with service() as url, driver() as started, new_browser(started) as page:
        page.devtools("Emulation.setScrollbarsHidden", hidden=True)
        page.resize(*WIDE)
        page.prefer("light")
        page.open(url)
        page.button("Sign up")
        page.screenshot(IMAGES / "welcome.png")
        sign_up(page, url)
        page.run("document.activeElement.blur()")
        page.screenshot(IMAGES / "signed-in-light.png")
        page.prefer("dark")
        page.screenshot(IMAGES / "signed-in-dark.png")
        page.prefer("light")
        page.resize(*NARROW)
        page.screenshot(IMAGES / "signed-in-narrow.png")
        page.resize(*WIDE)
        page.button("Sign out").click()
        page.button("The local provider").click()
        page.field("Name").fill("Grace Hopper")
        page.field("Email address").fill("grace@example.com")
        page.resize(*FORM)
        page.screenshot(IMAGES / "local-provider.png")
        with example(url) as address:
            page.open(address)
            page.button("Sign in with the local provider")
            page.resize(*EXAMPLE)
            page.screenshot(IMAGES / "example-social.png")
    for picture in sorted(IMAGES.glob("*.png")):
        print(f"{picture.stat().st_size // 1024:>4} KiB  {picture.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
