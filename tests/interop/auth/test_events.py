"""What a Better Auth server does is in Gatepost's record, though it knows of none."""

from pathlib import Path

import httpx

from tests.interop.auth.servers import BASE_URL, Setup, better_auth
from tests.interop.auth.visitor import PASSWORD
from tests.support import Server


def test_better_auth_server_is_recorded(
    one_postgres: Server, one_template: str, node: Path, tmp_path: Path
) -> None:
    user = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
    with (
        one_postgres.database(one_template) as name,
        better_auth(Setup(), one_postgres, name, tmp_path, node) as server,
        httpx.Client(
            base_url=f"http://127.0.0.1:{server.port}/api/auth", headers={"Origin": BASE_URL}
        ) as http,
    ):

        def new_types(after: int) -> list[str]:
            text = f"SELECT type FROM events ORDER BY id OFFSET {after}"
            return one_postgres.sql(text, name).split()

        assert http.post("/sign-up/email", json=user).status_code == 200
        assert new_types(0) == ["user.created", "account.created", "session.created"]
        assert http.post("/update-user", json={"name": "Ada L"}).status_code == 200
        assert new_types(3) == ["user.updated"]
        one_postgres.sql("UPDATE sessions SET expires_at = now() + interval '1 day'", name)
        recorded = len(new_types(0))
        assert http.get("/get-session?disableCookieCache=true").json()["user"]["name"] == "Ada L"
        fresh = "SELECT expires_at > now() + interval '6 days' FROM sessions"
        assert one_postgres.sql(fresh, name) == "t"  # it refreshed the session
        assert new_types(recorded) == []
        change = {"currentPassword": PASSWORD, "newPassword": "a better password"}
        assert http.post("/change-password", json=change).status_code == 200
        assert new_types(recorded) == ["account.password_changed"]
        assert http.post("/sign-out", json={}).status_code == 200
        assert new_types(recorded + 1) == ["session.ended"]
        everything = one_postgres.sql("SELECT string_agg(events::text, ' ') FROM events", name)
        assert "ada@example.com" in everything
        hashes = one_postgres.sql("SELECT password FROM accounts", name)
        assert hashes not in everything
