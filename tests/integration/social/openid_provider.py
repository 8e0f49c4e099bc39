"""A provider as a process: OpenID Connect under /one and /two, OAuth 2.0 alone under /plain.

Who signs in is the parameter ``person`` of the authorization address, JSON: the claims, and under
``fault`` what is wrong. Nobody is asked anything. ``/asked`` counts the requests for tokens.
"""

import hashlib
import json
import secrets
import sys
import time
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qsl, urlencode

import jwt
import uvicorn
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

PORT = int(sys.argv[1])
ISSUER = f"http://127.0.0.1:{PORT}"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
CODES: dict[str, dict[str, Any]] = {}
TOKENS: dict[str, dict[str, Any]] = {}
ASKED = {"one": 0, "two": 0, "plain": 0}


async def discovery(request: Request) -> Response:
    issuer = f"{ISSUER}/{request.path_params['name']}"
    return JSONResponse(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "userinfo_endpoint": f"{issuer}/userinfo",
            "jwks_uri": f"{ISSUER}/jwks",
            "id_token_signing_alg_values_supported": ["RS256"],
            "authorization_response_iss_parameter_supported": request.path_params["name"] == "one",
        }
    )


async def jwks(_: Request) -> Response:
    key = RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    return JSONResponse({"keys": [key | {"kid": "first", "use": "sig", "alg": "RS256"}]})


async def authorize(request: Request) -> Response:
    asked, name, code = dict(request.query_params), request.path_params["name"], secrets.token_hex()
    CODES[code] = asked | {"name": name}
    back = {"code": code, "state": asked["state"]}
    if name == "one":
        back["iss"] = f"{ISSUER}/one"
    return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 302)


async def token(request: Request) -> Response:
    form, name = dict(parse_qsl((await request.body()).decode())), request.path_params["name"]
    ASKED[name] += 1
    if form["grant_type"] == "refresh_token":
        person = TOKENS[form["refresh_token"].removeprefix("refresh-")]
        return JSONResponse({"access_token": "new", "id_token": id_token(name, person, None)})
    asked = CODES.pop(str(form["code"]), None)
    digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
    challenge = urlsafe_b64encode(digest).decode().rstrip("=")
    if (
        asked is None
        or asked["name"] != name
        or asked["code_challenge"] != challenge
        or asked["redirect_uri"] != form["redirect_uri"]
        or (form["client_id"], form["client_secret"]) != (name, f"{name}-secret")
    ):
        return JSONResponse({"error": "invalid_grant"}, 400)
    person = json.loads(asked["person"])
    fault = person.pop("fault", None)
    if fault == "token":
        return JSONResponse({"error": "server_error"}, 500)
    lengths = {"long": 70_000, "longer encrypted": 40_000}  # than any column
    access = "t" * lengths[fault] if fault in lengths else secrets.token_hex()
    TOKENS[access] = person
    answer = {
        "access_token": access,
        "refresh_token": f"refresh-{access}",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": person.pop("scope", "openid email"),
    }
    if name != "plain":
        answer["id_token"] = id_token(name, person, asked.get("nonce"))
    return JSONResponse(answer)


async def sign(request: Request) -> Response:
    person = await request.json()
    return Response(id_token(request.path_params["name"], person, person.get("nonce")))


def id_token(name: str, person: dict[str, Any], nonce: str | None) -> str:
    now = int(time.time())
    times = {"iat": now, "exp": now + 300}
    claims = {"iss": f"{ISSUER}/{name}", "aud": name} | times | person
    if nonce:
        claims["nonce"] = nonce
    return jwt.encode(claims, KEY, "RS256", {"kid": "first"})


async def userinfo(request: Request) -> Response:
    person = TOKENS.get(request.headers["authorization"].removeprefix("Bearer "))
    if person is None:
        return JSONResponse({"error": "invalid_token"}, 401)
    if request.path_params["name"] == "plain":
        person = person | {"id": person["sub"]}
    return JSONResponse(person)


async def asked(_: Request) -> Response:
    return JSONResponse(ASKED)


app = Starlette(
    routes=[
        Route("/asked", asked),
        Route("/jwks", jwks),
        Route("/{name}/.well-known/openid-configuration", discovery),
        Route("/{name}/authorize", authorize),
        Route("/{name}/token", token, methods=["POST"]),
        Route("/{name}/sign", sign, methods=["POST"]),
        Route("/{name}/userinfo", userinfo),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning")
