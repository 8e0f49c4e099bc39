"""The authorization endpoint and the token endpoint, which check what the real ones check."""

import hmac
import json
from base64 import b64decode, urlsafe_b64encode
from hashlib import sha256
from html import escape
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from tests.social.hosts.stand_in import SECRET, Grant, StandIn


def authorize(stand_in: StandIn, request: Request) -> Response:
    """Sign the person in at once: no page, no question."""
    asked = dict(request.query_params)
    redirect_uri = asked.get("redirect_uri", "")
    if asked.get("client_id") != stand_in.client_id:
        return PlainTextResponse("unknown client_id", 400)
    if not urlsplit(redirect_uri).path.endswith(f"/callback/{stand_in.id}"):
        return PlainTextResponse("redirect_uri is not registered", 400)
    for name, value in stand_in.needs.items():
        if not asked.get(name) or (value and asked[name] != value):
            return _back(stand_in, request, {"error": "invalid_request", "error_uri": name})
    if len(request.query_params) != len(request.query_params.multi_items()):
        return _back(stand_in, request, {"error": "invalid_request"})
    if not set(asked.get("scope", "").split()) <= set(stand_in.scopes):
        return _back(stand_in, request, {"error": "invalid_scope"})
    person = stand_in.memory.person
    grant = Grant(person, asked)
    answer: dict[str, str | None] = {"code": stand_in.new_code(grant)}
    if "id_token" in asked.get("response_type", ""):
        answer["id_token"] = stand_in.new_id_token(grant)
    if stand_in.id == "apple" and person.subject not in stand_in.memory.seen:
        stand_in.memory.seen.add(person.subject)
        answer["user"] = person.user or _apple_user(person.name)
    if stand_in.discovery:
        answer["iss"] = stand_in.issuer
    return _back(stand_in, request, answer | person.callback)


def _apple_user(name: str) -> str:
    first, _, last = name.partition(" ")
    return json.dumps({"name": {"firstName": first, "lastName": last}, "email": "x@y.test"})


def _back(stand_in: StandIn, request: Request, answer: dict[str, str | None]) -> Response:
    asked = request.query_params
    answer = {"state": asked.get("state")} | answer
    given = {name: value for name, value in answer.items() if value is not None}
    target = asked["redirect_uri"]
    if asked.get("response_mode") == "form_post":
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{escape(value)}">'
            for name, value in given.items()
        )
        return HTMLResponse(
            f'<body onload="document.forms[0].submit()"><form method="post" '
            f'action="{escape(target)}">{fields}</form></body>'
        )
    location = f"{target}{'&' if '?' in target else '?'}{urlencode(given)}"
    return Response(status_code=302, headers={"location": location})


async def token(stand_in: StandIn, request: Request) -> Response:
    """Exchange a code or a refresh token."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return JSONResponse({"error": "invalid_request"}, 415)
    form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    if not _is_client(stand_in, request, form):
        return JSONResponse({"error": "invalid_client"}, 401)
    match form.get("grant_type"):
        case "authorization_code":
            grant = stand_in.grant(form.get("code", ""))
            if grant is None or not _is_bound(grant, form):
                return _refused(stand_in, "invalid_grant")
            answer = stand_in.new_tokens(grant)
        case "refresh_token":
            used = form.get("refresh_token", "")
            grant = stand_in.memory.refresh_tokens.get(used)
            if grant is None:
                return _refused(stand_in, "invalid_grant")
            answer = stand_in.new_tokens(grant, used)
        case _:
            return _refused(stand_in, "unsupported_grant_type")
    if stand_in.id == "github" and "application/json" not in request.headers.get("accept", ""):
        return PlainTextResponse(urlencode(answer), media_type="application/x-www-form-urlencoded")
    return JSONResponse(answer)


def _is_client(stand_in: StandIn, request: Request, form: dict[str, str]) -> bool:
    if not stand_in.basic:
        given = (form.get("client_id", ""), form.get("client_secret", ""))
    elif "client_secret" in form:
        return False
    else:
        kind, _, text = request.headers.get("authorization", "").partition(" ")
        halves = b64decode(text).decode().split(":") if kind == "Basic" else []
        given = tuple(unquote_plus(half) for half in halves)
    return given == (stand_in.client_id, SECRET)


def _is_bound(grant: Grant, form: dict[str, str]) -> bool:
    """Whether a code comes from who asked: the same address, and the verifier of the challenge."""
    if form.get("redirect_uri") != grant.asked["redirect_uri"]:
        return False
    challenge = grant.asked.get("code_challenge")
    verifier = form.get("code_verifier")
    if challenge is None or verifier is None:
        return challenge is None
    digest = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return (
        grant.asked.get("code_challenge_method") == "S256"
        and 43 <= len(verifier) <= 128
        and hmac.compare_digest(digest, challenge)
    )


def _refused(stand_in: StandIn, error: str) -> Response:
    return JSONResponse({"ok": False, "error": error}, stand_in.error_status)
