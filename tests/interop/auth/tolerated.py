"""Where Gatepost answers other than Better Auth, and why. What is not listed here fails."""

from collections.abc import Mapping
from typing import Final

from tests.interop.auth import social_tolerated

_NO_500 = "Better Auth fails with a 500; what the client sent is at fault, and so it is told."
_SAFER = "Better Auth stores the value as text or fails; here a name or image is text."
_CLEARED = "Only get-session clears copies of the session that this server never made."
_DOTTED = "A token may hold dots, as in a cookie: the signature is behind the last one."
_SEGMENT = "A path of a trusted origin ends at a segment: /pathology is not below /path."
_BACKSLASH = "A browser takes a backslash for a slash, others do not: it is refused."
_DOTTED_PATH = "Without its dots the path begins with //, and is the address of another site."
_NUL = "A NUL is refused before anything is looked up, in every field alike."
_PREFLIGHT = "Browsers get their answer about other origins: Better Auth leaves CORS to its host."
_DOTS = "Node resolves dots in a path before routing. Clients do that before they send it."
_OUTSIDE = "A path outside of /api/auth is not one of the auth API: Gatepost answers it itself."
_OLD_CHANGE = "Neither tested version makes change tokens without a type; they would last an hour."
_ENDS = "A reset, or a new change of address, ends every other link of its kind."
_REPLACED = "A sign-in ends the session that its browser had."
_NO_END = "No version makes tokens without an end."
_LAX = "What SameSite=Lax keeps cookies from, None lets only trusted origins read."
_CARET = "The URL standard of today encodes ^ in a path, the one that Node 20 follows does not."
_BACKSLASHES = ("https://app.example.com\\@x.example", "http://auth.gatepost.test\\.x.example")
_TYPED = "Better Auth checks no type: it stores what the database takes, and fails at the rest."
_AS_SENT = (
    "Better Auth gives a date back as it was sent when the address is taken, and so tells it."
)
_DOTTED_PATHS = ("/.//x.example", "/a/..//x.example", "/%2e//x.example")

TOLERATED: Final[Mapping[str, Mapping[str, tuple[int | None, str]]]] = {
    **social_tolerated.TOLERATED,
    "paths_as_they_are_written": {
        "GET /./ok": (404, _DOTS),
        "GET /x/../ok": (404, _DOTS),
        "GET /api/authx/ok": (404, _OUTSIDE),
    },
    "preflight": {"a preflight from a trusted origin": (204, _PREFLIGHT)},
    "json_oddities": {
        "a number too big": (400, "JavaScript's Infinity is a number here, in the message too.")
    },
    "reading": {
        "an unknown token with a null": (200, _NO_500),
        "accounts: an unknown token with a null": (401, _NO_500),
    },
    "cookies_for_other_sites": dict.fromkeys(
        (
            "read from https://evil.example",
            "read from null",
            "no-cors for an image",
            "navigate for an iframe",
        ),
        (403, _LAX),
    ),
    "session_data": {
        f"accounts: {cookies}": (200, _CLEARED)
        for cookies in (
            "better-auth.session_data=x",
            "better-auth.session_data.0=a; better-auth.session_data.1=b",
            "better-auth.session_data=x; better-auth.session_data.0=a",
            "better-auth.session_data.1=b",
        )
    },
    "bearer": {
        "unknown with dots": (200, _DOTTED),
        "accounts: unknown with dots": (401, _DOTTED),
    },
    "stored_hashes": {
        f"stored {what}": (401, _NO_500) for what in ("no colon", "only a colon", "no key")
    },
    "made_up_tokens": dict.fromkeys(
        (
            "no email",
            "a number as email",
            "no address as email",
            "updateTo a number",
            "updateTo no address",
            "an id that is no UUID",
        ),
        (401, _NO_500),
    ),
    "made_up_tokens_that_are_good": {"no exp": (401, _NO_END)},
    "change_email_of_a_verified_user": {
        "the first": (401, _ENDS),
        "the second": (200, _ENDS),
        "SQL #2": (None, _ENDS),
    },
    "verified_while_signed_in": {"the own token": (200, _REPLACED)},
    "sign_in": {"SQL": (None, _REPLACED), "a null behind the password": (400, _NUL)},
    "change_token_without_a_type": {
        "no requestType": (401, _OLD_CHANGE),
        "the address": (None, _OLD_CHANGE),
        "mails left": (None, _OLD_CHANGE),
    },
    "change_email_to_one_taken_meanwhile": {"taken meanwhile": (401, _NO_500)},
    "reset_password": {"a null byte": (400, _NO_500), "by the query": (400, _ENDS)},
    "sign_up_variants": {"a null in the name": (400, _NUL)},
    "addresses": {
        "reset 'a@b.co\\x00'": (400, _NUL),
        f"reset '{'x' * 39}": (400, "No user can have an address of more than 254 characters."),
    },
    "reset_rows_from_elsewhere": {"POST foreign": (400, _NO_500)},
    "more_than_a_hundred_sessions": {
        "sessions left": (None, "revoke-other-sessions ends all, not those of the first hundred.")
    },
    "update_user": {
        f"{value} as the {field}": (400, _SAFER)
        for field, values in {
            "name": ("a number", "true", "null", "an object", "an array"),
            "image": ("a number", "an object"),
        }.items()
        for value in values
    }
    | {f"a null byte in the {field}": (400, _NO_500) for field in ("name", "image")},
    "origin_with_a_cookie": {
        f"{header} 'exp://10.0.0.5:80/pathology'": (403, _SEGMENT)
        for header in ("Origin", "Referer")
    }
    | {f"{header} {_BACKSLASHES[0]!r}": (403, _BACKSLASH) for header in ("Origin", "Referer")},
    "callback_urls": {
        f"{field} 'exp://10.0.0.5:80/pathology'": (403, _SEGMENT)
        for field in ("callbackURL", "redirectTo")
    }
    | {
        f"{field} {url!r}": (403, _BACKSLASH)
        for field in ("callbackURL", "redirectTo")
        for url in _BACKSLASHES
    }
    | {
        f"{field} {url!r}": (403, _DOTTED_PATH)
        for field in ("callbackURL", "redirectTo")
        for url in _DOTTED_PATHS
    },
    "callback_urls_in_queries": {
        f"{link} 'exp://10.0.0.5:80/pathology'": (403, _SEGMENT) for link in ("verify", "reset")
    }
    | {f"{link} {url!r}": (403, _BACKSLASH) for link in ("verify", "reset") for url in _BACKSLASHES}
    | {
        f"{link} {url!r}": (403, _DOTTED_PATH)
        for link in ("verify", "reset")
        for url in _DOTTED_PATHS
    }
    | {f"{link} '/a^b'": (302, _CARET) for link in ("verify", "reset")},
    "fields_of_another_type": {
        f"{update}{value}": (400, _TYPED)
        for update in ("", "update: ")
        for value in (
            "a number for a string",
            "an array for a string",
            "an object for a string",
            "true for a string",
            "a string for a boolean",
            "a word for a boolean",
            "a string for a number",
            "a word for a number",
            "a fraction for an integer",
            "a number too big",
            "a word for a date",
            "a number for a date",
            "a string for an array",
            "a number in strings",
            "a string in numbers",
            "null for what is required",
        )
    },
    "fields_of_a_session": {"a number": (400, _TYPED)},
    "fields_tell_nobody_who_is_registered": {"taken": (200, _AS_SENT)},
    "setting_passwords": {
        "GET /get-session": (200, "Whoever had the account's password is not to stay signed in.")
    },
    "creating": {
        "a short password": (400, "A password that an administrator sets has the rules of others."),
        "the users": (None, "The user with it was not made."),
    },
    "banning": {"banned by hand": (200, "A ban holds at each use of a session, whoever wrote it.")},
    "the_last_administrator": {
        "POST /admin/set-role": (400, "The last administrator has to stay."),
        "demoted": (200, "The last administrator has to stay."),
    },
    "ids_that_are_none": {
        f"{path} {given}": (status, _NO_500)
        for given in ("x", 7, None, {})
        for path, status in {
            "set-role": 404,
            "ban-user": 404,
            "unban-user": 404,
            "list-user-sessions": 200,
            "revoke-user-sessions": 200,
            "impersonate-user": 404,
            "remove-user": 404,
            "update-user": 404,
        }.items()
    }
    | {"GET /admin/get-user?id=x": (404, _NO_500)},
    "listing": dict.fromkeys(
        (
            "an unknown field",
            "an unknown order",
            "an id that is none",
            "a negative limit",
            "a fraction",
        ),
        (400, "Better Auth's answer is that there are no users; here it is what is wrong."),
    )
    | dict.fromkeys(
        ("a name with a wildcard", "a wildcard", "another wildcard"),
        (200, "A wildcard of LIKE stands for itself."),
    )
    | {"in one": (200, "One value of a list is a list.")},
    "impersonating_unremembered": {
        "without the way back": (
            400,
            f"{_NO_500} And a session that is borrowed is not refreshed.",
        ),
        "with another one": (400, _NO_500),
        "POST /sign-out": (200, "A sign-out takes the way back along."),
    },
    "limits_in_the_table": {
        "under the general rule": (
            None,
            "The general rule is counted in memory: reading a session costs no write.",
        ),
        "no endpoint's path": (
            None,
            "What is no endpoint's path is counted in memory: anybody can fill a table with those.",
        ),
    },
}
"""By scenario and entry: the status that Gatepost gives instead, and the reason."""
