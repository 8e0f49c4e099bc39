"""What the providers say of a person, each in its own words."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.social.hosts.stand_in import SECRET, Grant, Person, StandIn

PHOTO = b"\xff\xd8\xff\xe0 not much of a picture"
TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"


def laid_over(person: Person, profile: Mapping[str, Any]) -> dict[str, Any]:
    """A profile with what the test says of it."""
    changed = {**profile, **person.profile}
    return {name: value for name, value in changed.items() if name not in person.without}


def openid_claims(person: Person, _: Grant) -> dict[str, Any]:
    """The standard claims."""
    return {
        "name": person.name,
        "email": person.email,
        "email_verified": person.verified,
        "picture": person.picture,
    }


def apple_claims(person: Person, _: Grant) -> dict[str, Any]:
    return {"email": person.email, "email_verified": "true" if person.verified else "false"}


def microsoft_claims(person: Person, _: Grant) -> dict[str, Any]:
    verified = [person.email] if person.verified else []
    return {
        "sub": f"pairwise-{person.subject}",
        "oid": person.subject,
        "tid": TENANT,
        "name": person.name,
        "email": person.email,
        "verified_primary_email": verified,
    }


def twitch_claims(person: Person, grant: Grant) -> dict[str, Any]:
    """Only what the ``claims`` parameter asks for."""
    asked = json.loads(grant.asked.get("claims", "{}")).get("id_token", {})
    known = {
        "email": person.email,
        "email_verified": person.verified,
        "preferred_username": person.name,
        "picture": person.picture,
    }
    return {name: value for name, value in known.items() if name in asked}


def userinfo(stand_in: StandIn, grant: Grant, _: Request) -> Mapping[str, Any]:
    person = grant.person
    return laid_over(person, {"sub": person.subject, **openid_claims(person, grant)})


def plain_user(stand_in: StandIn, grant: Grant, _: Request) -> Mapping[str, Any]:
    """A provider that knows OAuth 2.0 alone."""
    person = grant.person
    return laid_over(person, {"id": person.subject, **openid_claims(person, grant)})


def github_user(stand_in: StandIn, grant: Grant, _: Request) -> Mapping[str, Any]:
    person = grant.person
    return laid_over(
        person,
        {
            "id": int(person.subject),
            "login": "ada",
            "name": person.name,
            "email": None,
            "avatar_url": person.picture,
        },
    )


def github_emails(stand_in: StandIn, grant: Grant, _: Request) -> Response:
    person = grant.person
    emails = person.emails
    if emails is None:
        emails = [
            {"email": "other@example.com", "primary": False, "verified": True},
            {"email": person.email, "primary": True, "verified": person.verified},
        ]
    return JSONResponse(emails)


def microsoft_photo(stand_in: StandIn, grant: Grant, _: Request) -> Response:
    if not grant.person.photo:
        return JSONResponse({"error": {"code": "ImageNotFound"}}, 404)
    return Response(PHOTO, media_type="image/jpeg")


def discord_user(stand_in: StandIn, grant: Grant, _: Request) -> Mapping[str, Any]:
    person = grant.person
    return laid_over(
        person,
        {
            "id": person.subject,
            "username": "ada",
            "global_name": person.name,
            "discriminator": "0",
            "avatar": "a_0123456789abcdef",
            "email": person.email,
            "verified": person.verified,
        },
    )


def facebook_inspection(stand_in: StandIn, _: Grant, request: Request) -> Mapping[str, Any]:
    """Whose an access token is, for the application itself."""
    asked = request.query_params
    if asked.get("access_token") != f"{stand_in.client_id}|{SECRET}":
        return {"error": {"message": "Invalid OAuth access token", "code": 190}}
    grant = stand_in.memory.access_tokens.get(asked.get("input_token", ""))
    if grant is None:
        return {"data": {"is_valid": False}}
    inspected = {"is_valid": True, "app_id": stand_in.client_id, "user_id": grant.person.subject}
    return {"data": inspected | grant.person.claims}


def facebook_user(stand_in: StandIn, grant: Grant, request: Request) -> Mapping[str, Any]:
    person = grant.person
    known = {
        "id": person.subject,
        "name": person.name,
        "email": person.email,
        "picture": {"data": {"url": person.picture}},
    }
    asked = request.query_params.get("fields", "id,name").split(",")
    return laid_over(person, {name: value for name, value in known.items() if name in asked})


def gitlab_user(stand_in: StandIn, grant: Grant, _: Request) -> Mapping[str, Any]:
    person = grant.person
    return laid_over(
        person,
        {
            "id": int(person.subject),
            "username": "ada",
            "name": person.name,
            "email": person.email,
            "avatar_url": person.picture,
            "state": "active",
            "locked": False,
        },
    )


def slack_user(stand_in: StandIn, grant: Grant, _: Request) -> Mapping[str, Any]:
    person = grant.person
    return laid_over(
        person,
        {
            "ok": True,
            "sub": person.subject,
            "https://slack.com/user_id": person.subject,
            "https://slack.com/team_id": "T1",
            **openid_claims(person, grant),
        },
    )


def spotify_user(stand_in: StandIn, grant: Grant, _: Request) -> Mapping[str, Any]:
    person = grant.person
    return laid_over(
        person,
        {
            "id": person.subject,
            "display_name": person.name,
            "email": person.email,
            "images": [{"url": person.picture, "height": 64, "width": 64}],
        },
    )


def twitter_user(stand_in: StandIn, grant: Grant, request: Request) -> Mapping[str, Any]:
    """Only the fields that are asked for; the address is there when it is confirmed."""
    person = grant.person
    further = {"profile_image_url": person.picture}
    if person.verified and person.email and "users.email" in grant.scopes:
        further["confirmed_email"] = person.email
    asked = request.query_params.get("user.fields", "").split(",")
    data = {"id": person.subject, "name": person.name, "username": "ada"}
    data |= {name: value for name, value in further.items() if name in asked}
    return {"data": laid_over(person, data)}
