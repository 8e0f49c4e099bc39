"""The commands for operators: keys, users, sessions; help, completion, colour and progress."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from app import __version__
from app.auth.passwords import hashed
from app.cli import cli
from app.commands.help import EXIT_CODES
from scripts.document_commands import PAGE, document, help_texts
from tests.conftest import SERVERS
from tests.security.people import BASE, NEW, PASSWORD, SECRET, Site, cookie, site
from tests.support import KEYS, ROOT, Server, environment, running_service

NOBODY = "00000000-0000-4000-8000-000000000000"
NOWHERE = "postgres://app:hunter2@127.0.0.1:1/gatepost"  # port 1: nothing listens there
TEXTS = list(help_texts())
AUTH: dict[str, Any] = {"GATEPOST_SECRET": SECRET, "GATEPOST_BASE_URL": BASE}


def gatepost(
    *arguments: str, url: str = "", stdin: str | bytes = "", cwd: Path = ROOT, **settings: str
) -> subprocess.CompletedProcess[str]:
    """A command without a terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments], cwd=cwd,
        env=environment(url) | {"PYTHONPATH": str(ROOT)} | settings,
        input=stdin if isinstance(stdin, bytes) else stdin.encode(),
        check=False, capture_output=True, timeout=60,
    )  # fmt: skip
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def result(*arguments: str, url: str = "", **options: Any) -> Any:
    """What a command that succeeds gives as JSON."""
    done = gatepost(*arguments, "--json", url=url, **options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def error(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The error message of a failed command, which must be one line."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert re.fullmatch(r"gatepost: [^\n]+\n", done.stderr), done.stderr
    return done.stderr


def usage_error(done: subprocess.CompletedProcess[str]) -> str:
    """The last line of the message about a wrong argument."""
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert re.fullmatch(r"Usage: [^\n]+\nTry [^\n]+\n\nError: [^\n]+\n", done.stderr), done.stderr
    return done.stderr.splitlines()[-1]


def on_terminal(
    *arguments: str, url: str = "", answers: Sequence[tuple[str, str]] = (), **settings: str
) -> tuple[int, str]:
    """The exit code of a command on a terminal, and what it shows.

    ``answers``: what is typed after which texts have appeared.
    """
    terminal, other_end = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", *arguments], cwd=ROOT,
        env=environment(url) | {"TERM": "xterm"} | settings, start_new_session=True,
        stdin=other_end, stdout=other_end, stderr=other_end,
    )  # fmt: skip
    os.close(other_end)
    shown, seen, left = "", 0, list(answers)
    try:
        while True:
            try:
                shown += os.read(terminal, 65536).decode(errors="replace")
            except OSError:  # the command has ended
                break
            while left and left[0][0] in shown[seen:]:
                seen = shown.index(left[0][0], seen) + len(left[0][0])
                os.write(terminal, f"{left.pop(0)[1]}\n".encode())
        return process.wait(60), shown
    finally:
        process.kill()
        process.wait()
        os.close(terminal)


@pytest.fixture(scope="module")
def place(
    postgres_servers: Callable[[str], Server],
    templates: Callable[[Server], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """A running service with the auth API."""
    server = postgres_servers(SERVERS[0])
    with site(server, templates(server), tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture
def url(place: Site) -> str:
    return place.service.database_url


@pytest.fixture(scope="module")
def many(place: Site) -> None:
    place.sql(
        "INSERT INTO users (name, email)"
        " SELECT 'n' || n, 'many.' || n || '@example.com' FROM generate_series(1, 9) n"
    )


def signed_in(place: Site, token: str) -> bool:
    answer = place.browser(cookie(token)).get("/get-session")
    assert answer.status_code == 200
    return answer.json() is not None


class TestHelp:
    def test_version_is_the_package_s(self) -> None:
        done = gatepost("--version")
        assert (done.returncode, done.stdout, done.stderr) == (0, f"gatepost {__version__}\n", "")

    def test_page_is_up_to_date(self) -> None:
        assert PAGE.read_text() == document(), "run 'make docs'"

    def test_page_has_every_exit_code(self) -> None:
        for code, meaning in EXIT_CODES.items():
            assert f"    {code}  {meaning}\n" in PAGE.read_text()

    @pytest.mark.parametrize(("name", "command", "text"), TEXTS, ids=[name for name, *_ in TEXTS])
    def test_examples_can_be_parsed(self, name: str, command: Any, text: str) -> None:
        assert text.startswith(f"Usage: {name} ")
        if hasattr(command, "list_commands") and name != "gatepost":
            return  # its commands have examples
        block = re.search(r"Examples:\n((?: {4}.*\n)+)", text)
        assert block, text
        assert "Exit codes:\n    0  done" in text
        root = typer.main.get_command(cli)
        for line in block[1].splitlines():
            words = shlex.split(line.partition("<")[0])
            assert words[0] == "gatepost"
            parse(root, "gatepost", words[1:])

    def test_help_is_plain_where_there_is_no_terminal(self) -> None:
        for arguments in (["--help"], ["users", "find", "--help"]):
            text = gatepost(*arguments, FORCE_COLOR="1").stdout
            assert text.startswith("Usage: gatepost ")
            assert not re.search("[\x1b│╭]", text)

    def test_help_is_in_colour_on_a_terminal_only_without_no_color(self) -> None:
        code, text = on_terminal("users", "--help")
        assert code == 0
        assert "\x1b[" in text
        code, text = on_terminal("users", "--help", NO_COLOR="1")
        assert code == 0
        assert "Usage: gatepost users " in text
        assert "\x1b" not in text

    def test_findings_are_in_colour_on_a_terminal_only(self, url: str) -> None:
        green = "\x1b[32mok  \x1b[0m  connection"
        assert green in on_terminal("doctor", url=url)[1]
        assert "\x1b" not in on_terminal("doctor", url=url, NO_COLOR="1")[1]
        assert gatepost("doctor", url=url).stdout.startswith("ok    connection")

    def test_shell_completes_commands_and_options(self) -> None:
        def completed(words: str) -> list[str]:
            count = str(len(words.split(" ")) - 1)
            shell: dict[str, Any] = {"_GATEPOST_COMPLETE": "complete_bash", "COMP_WORDS": words}
            return gatepost(**shell, COMP_CWORD=count).stdout.split()

        assert completed("gatepost us") == ["users"]
        assert completed("gatepost users ") == [
            "find", "show", "create", "delete", "export", "erase", "receipt", "limits",
        ]  # fmt: skip
        assert "--dry-run" in completed("gatepost migrate --")
        script = gatepost(
            "--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1"
        )
        assert "_GATEPOST_COMPLETE=complete_bash" in script.stdout

    def test_misspelt_command_gets_a_suggestion(self) -> None:
        assert "Did you mean 'sessions'" in usage_error(gatepost("session"))


def parse(command: Any, name: str, words: list[str], parent: Any = None) -> None:
    """Raises what the command line would say about these words; runs nothing."""
    try:
        context = command.make_context(name, list(words), parent=parent)
    except (typer.Exit, SystemExit):  # --help and the like
        return
    if hasattr(command, "list_commands"):
        name, child, rest = command.resolve_command(
            context, [*context._protected_args, *context.args]
        )
        parse(child, name, rest, context)


class TestHints:
    def test_new_migration_without_a_folder_says_what_to_do(self, tmp_path: Path) -> None:
        message = usage_error(gatepost("migration", "new", "x", cwd=tmp_path))
        assert "there is no folder db/migrations: make it (mkdir -p db/migrations)" in message
        assert list(tmp_path.iterdir()) == []

    def test_hints_name_no_command_of_a_checkout(self, tmp_path: Path) -> None:
        assert "run 'gatepost dev'" in error(gatepost("users", "find"), 2)
        (tmp_path / "db" / "migrations").mkdir(parents=True)
        done = gatepost("migration", "new", "x", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        new = (tmp_path / done.stdout.strip()).read_text()
        assert not re.search(r"\bmake\b|docs/", new)


class TestKeys:
    @pytest.mark.parametrize("scopes", [["read"], ["read", "write"], ["read", "secrets"]])
    def test_new_key_has_its_scopes(self, scopes: list[str], url: str, tmp_path: Path) -> None:
        new = result("keys", "new", "billing", *(f"--{scope}" for scope in scopes))
        assert (new["name"], new["scopes"]) == ("billing", scopes)
        assert new["key"] not in new["entry"]
        entries = {"GATEPOST_SERVICE_KEYS": new["entry"]}
        with running_service(url, tmp_path / "log", **entries) as service:
            headers = {"apikey": new["key"]}
            assert httpx.get(f"{service.rest}/users", headers=headers).status_code == 200
            user = {"name": "Ann", "email": f"{'.'.join(scopes)}@example.com"}
            made = httpx.post(f"{service.rest}/users", headers=headers, json=user)
            assert made.status_code == (201 if "write" in scopes else 403)
            tokens = httpx.get(f"{service.rest}/sessions?select=token", headers=headers)
            assert tokens.is_success == ("secrets" in scopes)

    def test_new_key_is_printed_with_its_entry(self) -> None:
        first, second = (gatepost("keys", "new", "billing", "--read") for _ in range(2))
        pattern = r"Key    ([\w-]{43})\nEntry  (billing:[0-9a-f]{64}:read)\n"
        keys = [re.fullmatch(pattern, done.stdout) for done in (first, second)]
        assert keys[0]
        assert keys[1]
        assert keys[0][1] != keys[1][1]
        assert keys[0][1] not in first.stderr

    @pytest.mark.parametrize("name", ["a:b", "a,b", "a b", "", "a\nb", "x" * 64])
    def test_name_that_the_setting_cannot_hold_is_refused(self, name: str) -> None:
        assert "letters, digits" in usage_error(gatepost("keys", "new", name, "--read"))

    def test_key_without_a_scope_is_refused(self) -> None:
        assert "--read, --write, --secrets" in usage_error(gatepost("keys", "new", "billing"))

    def test_list_shows_names_and_scopes_and_no_digest(self, tmp_path: Path) -> None:
        more = result("keys", "new", "more", "--write")["entry"]
        file = tmp_path / "keys"
        file.write_text(f"# more keys\n{more}\n")
        done = gatepost("keys", "list", GATEPOST_SERVICE_KEYS_FILE=str(file))
        assert done.returncode == 0, done.stderr
        rows = [line.split() for line in done.stdout.splitlines()]
        assert ["reader", "read"] in [row[:2] for row in rows]
        assert ["more", "write", more.split(":")[1][:8], "GATEPOST_SERVICE_KEYS_FILE"] in rows
        assert not re.search("[0-9a-f]{9}", done.stdout)
        found = result("keys", "list", GATEPOST_SERVICE_KEYS_FILE=str(file))["keys"]
        assert [key["name"] for key in found] == [*KEYS, "more"]
        assert found[0]["scopes"] == ["read", "write", "secrets"]
        assert all(re.fullmatch("[0-9a-f]{8}", key["sha256"]) for key in found)

    def test_wrong_setting_is_one_line_without_it(self) -> None:
        message = error(gatepost("keys", "list", GATEPOST_SERVICE_KEYS="hunter2"), 2)
        assert "GATEPOST_SERVICE_KEYS" in message
        assert "hunter2" not in message


def create(url: str, email: str, stdin: str | bytes = PASSWORD, name: str = "Ada") -> Any:
    return gatepost("users", "create", "--name", name, "--email", email, url=url, stdin=stdin)


class TestCreate:
    def test_created_user_can_sign_in(self, place: Site, url: str) -> None:
        arguments = ("users", "create", "--name", "Ada", "--email", "Created@Example.com")
        user = result(*arguments, url=url, stdin=f"{NEW}\r\n")["user"]
        assert (user["name"], user["email"]) == ("Ada", "created@example.com")
        answer = place.sign_in("created@example.com", NEW)
        assert answer.status_code == 200
        assert answer.json()["user"]["id"] == user["id"]
        stored = place.sql(f"SELECT password FROM accounts WHERE user_id = '{user['id']}'")
        assert stored == hashed(NEW, stored.partition(":")[0])

    def test_password_is_asked_for_on_a_terminal(self, place: Site, url: str) -> None:
        arguments = ("users", "create", "--name", "Ada", "--email", "asked@example.com")
        answers = [("Password: ", NEW), ("Repeat for confirmation: ", NEW)]
        code, shown = on_terminal(*arguments, url=url, answers=answers)
        assert code == 0, shown
        assert NEW not in shown
        assert place.sign_in("asked@example.com", NEW).status_code == 200

    @pytest.mark.parametrize(
        ("email", "password", "reason"),
        [
            ("no-address", PASSWORD, "[user.email] Invalid email address"),
            ("refused@example.com", "short", "Password too short"),
            ("refused@example.com", "x" * 129, "Password too long"),
            ("refused@example.com", "password1", "compromised"),
            ("refused@example.com", "", "[user.password] Too small"),
            ("refused@example.com", b"\xff\xfe\n", "not UTF-8"),
        ],
    )
    def test_rules_are_those_of_sign_up(
        self, place: Site, url: str, email: str, password: str | bytes, reason: str
    ) -> None:
        assert reason in usage_error(create(url, email, password))
        assert place.sql(f"SELECT count(*) FROM users WHERE email = '{email}'") == "0"

    def test_common_password_is_allowed_where_the_setting_says_so(self, url: str) -> None:
        arguments = ("users", "create", "--name", "Ada", "--email", "common@example.com")
        auth = {"GATEPOST_SECRET": "Zq3vR8mT1xY6bN4kW9sL2pH7cJ5dF0gA"}
        auth |= {"GATEPOST_BASE_URL": "http://x.test", "GATEPOST_REFUSE_COMMON_PASSWORDS": "false"}
        assert result(*arguments, url=url, stdin="password1", **auth)["user"]["name"] == "Ada"

    def test_address_that_is_taken_has_an_exit_code_of_its_own(self, url: str) -> None:
        assert create(url, "taken@example.com").returncode == 0
        message = error(create(url, "Taken@example.com", NEW), 9)
        assert "taken@example.com" in message
        assert NEW not in message

    def test_password_cannot_be_an_argument(self, url: str) -> None:
        arguments = ("--name", "Ada", "--email", "argument@example.com")
        for given in (["--password", NEW], [NEW]):
            assert gatepost("users", "create", *arguments, *given, url=url).returncode == 2


class TestFind:
    @pytest.mark.usefixtures("many")
    def test_pages_follow_one_another(self, url: str) -> None:
        seen, after = [], ""
        for size in (4, 4, 1):
            page = result("users", "find", "Many.", "--limit", "4", "--after", after, url=url)
            assert len(page["users"]) == size
            seen += [user["email"] for user in page["users"]]
            after = page["next"]
        assert after is None
        assert seen == [f"many.{n}@example.com" for n in range(1, 10)]

    @pytest.mark.usefixtures("many")
    def test_table_says_how_to_go_on(self, url: str) -> None:
        done = gatepost("users", "find", "many.", "--limit", "2", url=url)
        assert done.returncode == 0, done.stderr
        assert [line.split()[1] for line in done.stdout.splitlines()] == [
            "email", "many.1@example.com", "many.2@example.com",
        ]  # fmt: skip
        assert done.stderr == "there are more: --after many.2@example.com\n"

    @pytest.mark.usefixtures("many")
    def test_prefix_is_no_pattern(self, url: str) -> None:
        for text in ("many%", "many_", "example.com"):
            assert result("users", "find", text, url=url) == {"users": [], "next": None}

    def test_id_finds_one_user(self, place: Site, url: str) -> None:
        person = place.sign_up()
        [found] = result("users", "find", person.id, url=url)["users"]
        assert found["email"] == person.email
        assert result("users", "find", NOBODY, url=url)["users"] == []

    def test_name_gives_the_terminal_no_command(self, place: Site, url: str) -> None:
        place.sql(
            "INSERT INTO users (name, email)"
            " VALUES (E'a\\x1b[31mb\\nc\\u202ed\\u009b2J', 'hostile@example.com')"
        )
        for command in ("find", "show"):
            done = gatepost("users", command, "hostile@example.com", url=url)
            assert r"a\x1b[31mb\nc\u202ed\x9b2J" in done.stdout
        as_json = gatepost("users", "find", "hostile@", "--json", url=url).stdout
        assert json.loads(as_json)["users"][0]["name"] == "a\x1b[31mb\nc\u202ed\x9b2J"
        assert not re.search("[\x1b\x9b]", as_json)


class TestShow:
    def test_user_is_shown_without_hash_and_token(self, place: Site, url: str) -> None:
        person = place.sign_up()
        stored = place.sql(f"SELECT password FROM accounts WHERE user_id = '{person.id}'")
        for text in (person.id, person.email.upper()):
            found = result("users", "show", text, url=url)
            assert found["user"]["email"] == person.email
            [account], [session] = found["accounts"], found["sessions"]
            assert account["provider_id"] == "credential"
            assert session["user_id"] == person.id
            done = gatepost("users", "show", text, url=url)
            assert done.returncode == 0, done.stderr
            assert {account["id"], session["id"], person.email} <= {*done.stdout.split()}
            for printed in (json.dumps(found), done.stdout):
                assert person.token not in printed
                assert stored not in printed
                assert stored.partition(":")[2] not in printed

    @pytest.mark.parametrize("text", [NOBODY, "nobody@example.com"])
    @pytest.mark.parametrize(
        "command",
        [
            ["users", "show"],
            ["users", "delete", "--yes"],
            ["users", "limits"],
            ["sessions", "list"],
            ["sessions", "revoke", "--user"],
        ],
        ids=" ".join,
    )
    def test_unknown_user_has_an_exit_code_of_its_own(
        self, command: list[str], text: str, url: str
    ) -> None:
        assert text in error(gatepost(*command, text, url=url), 8)
        assert text in error(gatepost(*command, text, "--json", url=url), 8)


class TestDelete:
    def test_deleted_user_is_gone(self, place: Site, url: str) -> None:
        person = place.sign_up()
        assert result("users", "delete", person.id, "--yes", url=url)["user"]["id"] == person.id
        assert not signed_in(place, person.token)
        assert place.sign_in(person.email).status_code == 401
        assert place.sql(f"SELECT count(*) FROM accounts WHERE user_id = '{person.id}'") == "0"

    def test_nobody_is_deleted_unasked(self, place: Site, url: str) -> None:
        person = place.sign_up()
        assert "--yes" in usage_error(gatepost("users", "delete", person.id, url=url, stdin="y\n"))
        question = [("[y/N]: ", "n")]
        code, shown = on_terminal("users", "delete", person.email, url=url, answers=question)
        assert code == 1
        assert person.email in shown
        assert signed_in(place, person.token)
        question = [("[y/N]: ", "y")]
        code, shown = on_terminal("users", "delete", person.email, url=url, answers=question)
        assert code == 0, shown
        assert not signed_in(place, person.token)


class TestLimits:
    def test_limits_are_set_shown_and_taken_back(self, place: Site, url: str) -> None:
        person = place.sign_up()
        of_settings = {"lifetime": 2_592_000, "idle_lifetime": 604_800, "max_sessions": 100}
        found = result("users", "limits", person.email.upper(), url=url, **AUTH)
        assert found == {
            "user_id": person.id, "policy": None, "settings": of_settings, "ended": 0,
        }  # fmt: skip
        given = ("--lifetime", "8h", "--idle", "30m")
        found = result("users", "limits", person.id, *given, url=url, **AUTH)["policy"]
        assert (found["lifetime"], found["idle_lifetime"]) == (28_800, 1800)
        place.session(person, created="-1 h")
        done = gatepost("users", "limits", person.id, "--sessions", "1", url=url, **AUTH)
        assert [line.split() for line in done.stdout.splitlines()] == [
            ["limit", "of", "the", "user", "of", "the", "settings", "holds"],
            ["lifetime", "8h", "30d", "8h"],
            ["idle", "30m", "7d", "30m"],
            ["sessions", "1", "100", "1"],
        ]
        assert done.stderr == "1 sessions ended\n"
        shown = gatepost("users", "show", person.id, url=url).stdout
        assert "lifetime  8h at most\nidle      30m at most\nsessions  1 at most\n" in shown
        assert result("users", "show", person.id, url=url)["policy"]["max_sessions"] == 1
        given = ("--reset", "--idle", "1h")
        found = result("users", "limits", person.id, *given, url=url, **AUTH)["policy"]
        assert [found[n] for n in of_settings] == [None, 3600, None]
        assert result("users", "limits", person.id, "--reset", url=url, **AUTH)["policy"] is None
        assert place.sql(f"SELECT FROM session_policies WHERE user_id = '{person.id}'") == ""

    @pytest.mark.parametrize(
        ("option", "value", "message"),
        [
            ("--lifetime", "31d", "--lifetime must be a duration from 1m to 30d"),
            ("--lifetime", "59s", "--lifetime must be a duration from 1m to 30d"),
            ("--idle", "8d", "--idle must be a duration from 1m to 7d"),
            ("--idle", "", "--idle must be a duration from 1m to 7d"),
        ],
    )
    def test_duration_that_the_settings_do_not_allow_is_refused(
        self, place: Site, url: str, option: str, value: str, message: str
    ) -> None:
        person = place.sign_up()
        done = gatepost("users", "limits", person.id, option, value, url=url, **AUTH)
        assert message in error(done, 2)
        assert place.sql(f"SELECT FROM session_policies WHERE user_id = '{person.id}'") == ""

    def test_what_cannot_be_done_is_refused(self, place: Site, url: str) -> None:
        person = place.sign_up()
        more = gatepost("users", "limits", person.id, "--sessions", "101", url=url, **AUTH)
        assert "--sessions must be at most 100 (GATEPOST_MAX_SESSIONS)" in usage_error(more)
        none = gatepost("users", "limits", person.id, "--sessions", "0", url=url, **AUTH)
        assert "--sessions" in usage_error(none)
        without = gatepost("users", "limits", person.id, "--sessions", "3", url=url)
        assert "GATEPOST_SECRET and GATEPOST_BASE_URL are not set" in error(without, 2)
        assert result("users", "limits", person.id, url=url)["settings"] is None


class TestSessions:
    def test_list_shows_live_sessions_and_no_token(self, place: Site, url: str) -> None:
        person = place.sign_up()
        place.session(person, created="-2 h", expires="-1 h")
        older = place.session(person, created="-1 h")
        found = result("sessions", "list", person.email, url=url)["sessions"]
        assert len(found) == 2
        assert found[0]["created_at"] > found[1]["created_at"]
        assert found[0]["user_agent"].startswith("python-httpx/")
        assert found[0]["ip_address"] == "127.0.0.1"
        assert found[0]["expires_at"] > found[0]["updated_at"]
        done = gatepost("sessions", "list", person.id, url=url)
        head, *rows = done.stdout.splitlines()
        assert re.split("  +", head) == [
            "session", "created", "refreshed", "last seen", "expires", "address", "browser",
        ]  # fmt: skip
        assert [row.split()[0] for row in rows] == [session["id"] for session in found]
        for printed in (json.dumps(found), done.stdout):
            assert person.token not in printed
            assert older not in printed

    def test_newest_sessions_of_all_users_are_listed_by_pages(self, place: Site, url: str) -> None:
        people = [place.sign_up(name) for name in ("a", "b", "c")]
        over = place.session(people[0], created="-2 h", expires="-1 h")
        first = result("sessions", "list", "--limit", "2", url=url)
        last = first["sessions"][-1]["id"]
        assert first["next"] == last
        second = result("sessions", "list", "--limit", "1", "--before", last, url=url)
        found = [each["user_id"] for each in first["sessions"] + second["sessions"]]
        assert found == [person.id for person in reversed(people)]
        every = gatepost("sessions", "list", "--limit", "10000", url=url)
        assert every.stdout.partition("\n")[0].split()[:2] == ["session", "user"]
        for token in (over, *(person.token for person in people)):
            assert token not in every.stdout
        assert place.sql(f"SELECT id FROM sessions WHERE token = '{over}'") not in every.stdout
        assert NOBODY in error(gatepost("sessions", "list", "--before", NOBODY, url=url), 8)
        both = gatepost("sessions", "list", people[0].id, "--before", last, url=url)
        assert "give a user, or --before" in usage_error(both)

    def test_list_says_that_there_are_more(self, place: Site, url: str) -> None:
        person = place.sign_up()
        place.session(person)
        done = gatepost("sessions", "list", person.id, "--limit", "1", url=url)
        assert len(done.stdout.splitlines()) == 2
        assert done.stderr == "there are more than 1: --limit\n"

    def test_revoked_session_is_refused_by_the_next_request(self, place: Site, url: str) -> None:
        person = place.sign_up()
        kept = place.session(person, created="-1 h")
        assert signed_in(place, person.token)
        newest, _ = result("sessions", "list", person.id, url=url)["sessions"]
        revoked = result("sessions", "revoke", newest["id"], url=url)
        assert revoked == {"revoked": [newest["id"]]}
        assert not signed_in(place, person.token)
        assert signed_in(place, kept)
        again = gatepost("sessions", "revoke", newest["id"], url=url)
        assert newest["id"] in error(again, 8)

    def test_all_sessions_of_a_user_are_revoked(self, place: Site, url: str) -> None:
        person, other = place.sign_up(), place.sign_up("eve")
        tokens = [person.token, place.session(person)]
        ids = {each["id"] for each in result("sessions", "list", person.id, url=url)["sessions"]}
        revoked = result("sessions", "revoke", "--user", person.email, url=url)["revoked"]
        assert {*revoked} == ids
        assert len(ids) == 2
        assert [signed_in(place, token) for token in tokens] == [False, False]
        assert signed_in(place, other.token)
        assert result("sessions", "revoke", "--user", person.email, url=url) == {"revoked": []}
        assert gatepost("sessions", "list", person.id, url=url).stderr == "no session\n"

    @pytest.mark.parametrize("given", [[], [NOBODY, "--user", NOBODY], ["no-id"]])
    def test_what_to_revoke_must_be_said(self, given: list[str], url: str) -> None:
        assert "Error: Invalid value" in usage_error(
            gatepost("sessions", "revoke", *given, url=url)
        )


class TestDatabase:
    COMMANDS = (["users", "find"], ["users", "show", NOBODY], ["sessions", "revoke", NOBODY])

    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_database_that_does_not_answer_is_one_line(self, command: list[str]) -> None:
        message = error(gatepost(*command, url=NOWHERE), 1)
        assert "127.0.0.1:1/gatepost: connection refused" in message
        assert "hunter2" not in message

    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_database_without_tables_says_what_to_run(
        self, command: list[str], place: Site
    ) -> None:
        postgres = place.postgres
        missing = postgres.url("gatepost_is_not_there")
        assert "run 'gatepost migrate'" in error(gatepost(*command, url=missing), 1)
        with postgres.database() as name:
            assert "run 'gatepost migrate'" in error(gatepost(*command, url=postgres.url(name)), 1)

    def test_argument_that_is_no_text_is_one_line(self, url: str) -> None:
        assert r"a\nb" in error(gatepost("users", "show", "a\nb", url=url), 8)
        assert "does not fit" in error(gatepost("users", "find", "\udcff", url=url), 1)


class TestProgress:
    def test_purge_says_how_far_it_is_on_a_terminal_only(self, place: Site, url: str) -> None:
        person = place.sign_up()
        place.session(person, created="-2 h", expires="-1 h")
        code, shown = on_terminal("purge", url=url)
        assert code == 0
        assert re.search(r"\r\x1b\[Ksessions: 100 %, [1-9] deleted", shown)
        done = gatepost("purge", url=url)
        assert (done.returncode, done.stderr) == (0, "")
        assert re.findall(r"^(\w+) +0$", done.stdout, re.MULTILINE) == [
            "sessions", "verifications", "rate_limits", "events",
        ]  # fmt: skip
