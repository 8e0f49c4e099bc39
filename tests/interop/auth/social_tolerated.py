"""Where Gatepost signs people in with providers other than Better Auth does, and why."""

from collections.abc import Mapping
from typing import Final

from tests.social.running_hosts import PLAYED

_AZP: Final = "Of several audiences the token must name this client as the one it is for."
_NUL: Final = "A NUL is refused before anything is looked up, in every field alike."
_ENDED: Final = "What differed above leaves fewer sessions or rows."
_TEXT: Final = "What a stranger writes into an address of the application has a length."
_BOUND: Final = (
    "A state is good for the provider it was made for: a mix-up ends before any request."
)
_POSTED: Final = (
    "No cookie is read: a provider on the same site, whose browser sends them, may post as well."
)
_ASCII: Final = "A header is ASCII: what is not is percent-encoded, as a browser would do."
_TOLD: Final = "A 200 without tokens is no answer to a code, from every provider as from GitHub."
_NO_ADDRESS: Final = "A text that is no address is not verified, whatever the provider says of it."
_LONG: Final = "Nobody made a state that long."
_TABS: Final = "Two tabs at once: each state has a cookie of its own."
_ONE_BODY: Final = (
    "Both endpoints check the same body: a wrong type is refused where it is not used."
)
_RAW: Final = "The data are the provider's own, without the two names that Better Auth adds."
_REPLACED: Final = "A sign-in ends the session that its browser had."
_DEMANDED: Final = "A provider that has ID tokens must give one, or the nonce protects nothing."
_SUBJECT: Final = "Without a subject in the ID token nobody is asked any more."
_UNVERIFIED: Final = "An ID token that nothing verifies is not believed: the provider is asked."
_KEPT: Final = (
    "A user keeps their address where the provider's is another user's: Better Auth fails."
)
_CLAIMED: Final = (
    "Who had not verified the address may be a stranger: the sessions end when its owner comes."
)
_SHORT: Final = "What is too short to be encrypted is a token as it is."
_NAMELESS: Final = "An empty name is none, at GitLab as at GitHub: the username stands in for it."
_FORGED: Final = (
    "An ID token is verified wherever it comes from: issuer, audience, time, key, nonce."
)
_STORED: Final = (
    "Of many refreshes at once one asks, and all answer what is stored: the date that was known,"
    " where the provider names none."
)

_WRONG_TYPES: Final = (
    "idToken, expiresAt as text",
    "idToken, user as text",
    "idToken, a name of numbers",
    "several wrong",
)
_NOBODYS_PATHS: Final = (
    "nobody", "plai", "Plain", "credential", "__proto__", "constructor", "a%2Fb",
)  # fmt: skip

TOLERATED: Final[Mapping[str, Mapping[str, tuple[int | None, str]]]] = {
    "id_tokens": {
        "among audiences, nonce None": (401, _AZP),
        "among audiences, nonce ": (401, _AZP),
        "/sign-in/social a null byte": (400, _NUL),
        "/link-social a null byte": (400, _NUL),
        "the end: rows": (None, _ENDED),
    },
    "callback_errors": {f"to {name}: back": (302, _BOUND) for name in _NOBODYS_PATHS}
    | {f"error {'x' * 74}: back": (302, _TEXT)},
    "callback_by_post": {
        f"from {origin} with a=b": (302, _POSTED) for origin in ("https://x.example", "null", None)
    },
    "callback_places": {
        f"{url!r} {turn}: back": (302, _ASCII)
        for url in ("https://app.example.com/x?y=ä", "/a b")
        for turn in ("new", "known")
    },
    "callback_tokens": {"an error with 200: back": (302, _TOLD)},
    "linking_addresses": {
        f"{name}: back": (302, _NO_ADDRESS) for name in ("none", "a blank more", "empty")
    },
    "linking_loosely": {"no address: back": (302, _NO_ADDRESS), "the end: rows": (None, _ENDED)},
    "state_checks": {
        "plain?state=%00": (400, _NUL),
        f"plain?state={'x' * 48}": (400, _LONG),
    },
    "state_of_another_providers_dance": {
        "to another: back": (302, _BOUND),
        "asked": (None, _BOUND),
        "the end: rows": (None, _BOUND),
    },
    "state_of_two_tabs": {"the first: back": (302, _TABS)},
    "starting_bodies": {
        f"/link-social{who}: {what}": (400, _ONE_BODY)
        for who in ("", ", nobody")
        for what in _WRONG_TYPES
    },
    "starting_places": {"/link-social newUserCallbackURL None": (400, _ONE_BODY)},
    "tokens_of_every_kind": {
        f"{what} {turn}: /account-info": (200, _RAW)
        for what in ("no refresh token", "long", "over", "over, no refresh token", "no expiry")
        for turn in range(3)
    },
    "tokens_about_to_expire": {"in four seconds: /account-info": (200, _RAW)},
    "tokens_refreshed_until_refused": {
        f"{name} 1: /refresh-token": (200, _STORED) for name in ("plain", "basic", "bare")
    },
    "tokens_by_discovery": {
        "ada: /account-info": (200, _RAW),
        "ada: /account-info #2": (200, _RAW),
        "by userinfo: /account-info": (200, _RAW),
    },
    "known_account_of_a_browser_with_a_session": {
        "before": (200, _REPLACED),
        "the end: rows": (None, _REPLACED),
    },
    "bad_id_tokens_by_discovery": {
        "among audiences: back": (302, _AZP),
        "an empty sub: asked of the provider": (None, _SUBJECT),
        "no ID token: back": (302, _DEMANDED),
        "no ID token: asked of the provider": (None, _DEMANDED),
        "the end: rows": (None, _ENDED),
    },
    "sign_out_at_the_provider": {"plain: asked of the provider": (None, _UNVERIFIED)},
    "user_info_overridden": {
        "another's address: back": (302, _KEPT),
        "the end: rows": (None, _KEPT),
    },
    "joining_loosely": {"the end: rows": (None, _CLAIMED)},
    "built_in_dances": {
        f"{provider}: info": (200, _RAW)
        for provider in ("github", "discord", "twitter", "openid", "plain")
    },
    "built_in_names": {"gitlab: name": (None, _NAMELESS)},
    "built_in_forged": {
        f"{provider}, {what}: {which}": (302 if which == "back" else None, _FORGED)
        for provider in ("google", "apple", "microsoft", "twitch")
        for what in (
            "another issuer",
            "another audience",
            "expired",
            "a stranger's",
            "another nonce",
        )
        for which in ("back", "asked")
        if which == "back" or provider == "microsoft"
    },
    "built_in_faults": {
        f"{provider}, token endpoint wrong_json: back": (302, _TOLD) for provider in PLAYED
    }
    | {
        f"{provider}, token endpoint wrong_json: asked": (None, _TOLD)
        for provider in (
            "github",
            "discord",
            "gitlab",
            "linkedin",
            "slack",
            "spotify",
            "twitter",
        )
    },
    "tokens_encrypted": {
        "encrypted: /account-info": (200, _RAW),
        "hex: /get-access-token": (200, _SHORT),
        "hex opened": (None, _SHORT),
        "capitals: /get-access-token": (200, _SHORT),
        "capitals opened": (None, _SHORT),
    },
}
