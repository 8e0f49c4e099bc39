"""Additional fields of users and sessions (Better Auth's ``additionalFields``)."""

from typing import Any, Final

from tests.interop.auth.visitor import PASSWORD, Visitor, scenario

COLUMNS: Final = (
    "plan, company, newsletter, login_count, age, born_at, tags, numbers, settings, note,"
    " customer_id"
)
USER: Final = f"SELECT {COLUMNS} FROM users WHERE id = '{{}}'"
SESSION: Final = "SELECT theme, device, hint FROM sessions WHERE user_id = '{}' ORDER BY created_at"
GIVEN: Final[dict[str, Any]] = {
    "plan": "pro",
    "company": "\u00dcbermut",
    "newsletter": True,
    "age": 42,
    "bornAt": "2001-02-03T04:05:06.789+02:00",
    "tags": ["a", "b,c", '"'],
    "numbers": [1, 2.5, -3],
    "settings": {"a": [1, None, {"b": "\ud83d\ude00"}], "c": False},
    "note": "hush",
}
WRONG: Final[dict[str, Any]] = {
    "a number for a string": {"plan": 1},
    "an array for a string": {"plan": ["a"]},
    "an object for a string": {"plan": {"a": 1}},
    "true for a string": {"plan": True},
    "a string for a boolean": {"newsletter": "true"},
    "a word for a boolean": {"newsletter": "perhaps"},
    "a string for a number": {"age": "5"},
    "a word for a number": {"age": "five"},
    "a fraction for an integer": {"age": 1.5},
    "a number too big": {"age": 2**31},
    "a word for a date": {"bornAt": "yesterday"},
    "a number for a date": {"bornAt": 5},
    "a string for an array": {"tags": "a"},
    "a number in strings": {"tags": ["a", 1]},
    "a string in numbers": {"numbers": ["a"]},
    "null for what is required": {"company": None},
}
"""A value of another type: Better Auth checks none, and stores what the database takes."""


def body(at: Visitor, name: str, **fields: Any) -> dict[str, Any]:
    given = {"name": name, "email": at.address(name), "password": PASSWORD, "company": "Acme"}
    return {key: value for key, value in (given | fields).items() if value is not ...}


@scenario("fields")
def fields_at_sign_up(at: Visitor) -> None:
    for name, fields in {
        "nothing": {},
        "all": GIVEN,
        "nulls": dict.fromkeys(("plan", "age", "bornAt", "tags", "numbers", "settings", "note")),
        "null_with_default": {"newsletter": None},
        "empty": {"plan": "", "company": "", "tags": [], "numbers": [], "settings": {}},
        "midnight": {"bornAt": "2001-02-03"},
        "scalars": {"settings": 1},
        "not_input_with_default": {"loginCount": 99},
        "not_input_but_false": {"customerId": ""},
        "columns": {"login_count": 5, "customer_id": "x", "born_at": "2001-02-03"},
        "others": {"role": "admin", "theme": "dark", "id": "x"},
    }.items():
        answer = at.post(200, "/sign-up/email", body(at, name, **fields), name=name)
        at.sql(USER.format(answer.json["user"]["id"]))
        at.sql(SESSION.format(answer.json["user"]["id"]))
        at.get(200, "/get-session", answer.cookie)
        at.get(200, "/list-sessions", answer.cookie)


@scenario("fields")
def fields_refused_at_sign_up(at: Visitor) -> None:
    for name, fields in {
        "not input": {"customerId": "x"},
        "not input, an empty array": {"customerId": []},
        "missing": {"company": ...},
        "missing, and not input": {"company": ..., "customerId": "x"},
        "a short password first": {"company": ..., "password": "x"},
    }.items():
        at.post(400, "/sign-up/email", body(at, "ada", **fields), name=name)
    at.post(200, "/sign-up/email", body(at, "ada"))
    at.post(422, "/sign-up/email", body(at, "ada"), name="taken")
    at.post(400, "/sign-up/email", body(at, "ada", company=...), name="taken, and missing")


@scenario("fields")
def fields_of_another_type(at: Visitor) -> None:
    answer = at.post(200, "/sign-up/email", body(at, "ada"))
    for number, (name, fields) in enumerate(WRONG.items()):
        at.post(None, "/sign-up/email", body(at, f"at{number}", **fields), name=name)
    for name, fields in WRONG.items():
        at.post(None, "/update-user", fields, answer.cookie, name=f"update: {name}")


@scenario("fields")
def fields_in_every_answer_with_a_user(at: Visitor) -> None:
    made = at.post(200, "/sign-up/email", body(at, "ada", **GIVEN))
    person = {"email": at.address("ada"), "password": PASSWORD}
    signed_in = at.post(200, "/sign-in/email", person)
    change = {"currentPassword": PASSWORD, "newPassword": "a better password"}
    at.post(200, "/change-password", change, signed_in.cookie)
    new = at.address("new")
    at.post(200, "/change-email", {"newEmail": new}, made.cookie)
    token = at.mail(email=new)["token"]
    at.get(200, f"/verify-email?token={token}", made.cookie, name="followed")


@scenario("fields")
def fields_in_update_user(at: Visitor) -> None:
    made = at.post(200, "/sign-up/email", body(at, "ada", **GIVEN))
    user = made.json["user"]["id"]
    for name, fields in {
        "one": {"plan": "basic"},
        "two and a name": {"name": "Ada L.", "age": 43, "bornAt": "2000-01-01T00:00:00Z"},
        "nulls": dict.fromkeys(("plan", "age", "bornAt", "tags", "numbers", "settings", "note")),
        "arrays": {"tags": ["z"], "numbers": [0], "settings": [1]},
        "hidden": {"note": "hush hush"},
        "not input but false": {"plan": "p", "customerId": "", "loginCount": 0},
        "only a name": {"name": "Ada"},
    }.items():
        at.post(200, "/update-user", fields, made.cookie, name=name)
        at.sql(USER.format(user))
        at.get(200, "/get-session", made.cookie)
    for name, fields in {
        "not input": {"customerId": "x"},
        "not input, with a default": {"loginCount": 5},
        "not input, and others": {"plan": "x", "customerId": "x"},
        "only not input but false": {"customerId": ""},
        "only columns": {"login_count": 1},
        "an address": {"email": "x@example.com", "customerId": "x"},
    }.items():
        at.post(400, "/update-user", fields, made.cookie, name=name)
    at.post(401, "/update-user", {"customerId": "x"}, name="nobody")
    at.sql(USER.format(user))


@scenario("fields")
def fields_of_a_session(at: Visitor) -> None:
    made = at.post(200, "/sign-up/email", body(at, "ada"))
    user = made.json["user"]["id"]
    for name, fields in {
        "a theme": {"theme": "dark"},
        "no theme": {"theme": None},
        "hidden": {"theme": "t", "hint": "hush"},
        "others": {"theme": "t", "token": "x" * 32, "expiresAt": "2999-01-01", "userId": "x"},
        "not input but false": {"theme": "t", "device": ""},
    }.items():
        at.post(200, "/update-session", fields, made.cookie, name=name)
        at.sql(SESSION.format(user))
        at.get(200, "/get-session", made.cookie)
    for name, fields in {
        "not input": {"device": "x"},
        "nothing": {},
        "only others": {"token": "x" * 32},
    }.items():
        at.post(400, "/update-session", fields, made.cookie, name=name)
    at.post(None, "/update-session", {"theme": 1}, made.cookie, name="a number")
    at.post(401, "/update-session", {"theme": "dark"}, name="nobody")
    at.post(200, "/revoke-session", {"token": made.json["token"]}, made.cookie)
    at.post(401, "/update-session", {"theme": "dark"}, made.cookie, name="revoked")


@scenario("fields, and addresses verified")
def fields_tell_nobody_who_is_registered(at: Visitor) -> None:
    first = at.post(200, "/sign-up/email", body(at, "ada", **GIVEN), name="new")
    at.mail(email=at.address("ada"))
    at.post(200, "/sign-up/email", body(at, "ada", **GIVEN), name="taken")
    at.post(200, "/sign-up/email", body(at, "ada"), name="taken, with defaults")
    at.post(400, "/sign-up/email", body(at, "ada", company=...), name="taken, and missing")
    at.post(400, "/sign-up/email", body(at, "ada", customerId="x"), name="taken, and not input")
    at.sql(USER.format(first.json["user"]["id"]))
