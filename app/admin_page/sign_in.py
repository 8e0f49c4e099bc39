"""``/admin/sign-in``: an ordinary sign-in of the auth API."""

import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import RedirectResponse, Response

from ..auth.context import RequestContext
from .page import PREFIX, Screen, asked

_NOT_LINKED: Final = "This account is not linked to a user here. Sign in another way, and link it."
_AGAIN: Final = "This sign-in took too long, or was not begun here. Try again."
_ERRORS: Final = {
    "access_denied": "You have not agreed at the provider.",
    "account_not_linked": _NOT_LINKED,
    "banned": "This user is banned.",
    "email_not_found": "The provider has given no address.",
    "email_not_verified": "The address of this user is not verified.",
    "oauth_provider_not_found": "The provider is not there just now. Try again in a moment.",
    "signup_disabled": "There is no user here with this account.",
    "state_invalid": _AGAIN,
    "state_mismatch": _AGAIN,
    "state_not_found": _AGAIN,
    "unable_to_get_user_info": "The provider has said nothing of you that could be believed.",
}
"""By the code with which a provider's return ends."""
_NAMES: Final = {"github": "GitHub", "gitlab": "GitLab", "linkedin": "LinkedIn", "twitter": "X"}
"""Of providers, where a capital letter at the start will not do."""
_SCREEN: Final = re.compile(rf"{PREFIX}(?:/[\w~@.%-]+)*(?:\?[!-~]*)?", re.ASCII)
_DOTS: Final = re.compile(r"/(?:\.|%2e){1,2}(?=[/?]|$)", re.IGNORECASE)


async def sign_in(context: RequestContext) -> Mapping[str, Any] | Response:
    target = screen_at(asked(context, "next", 2000))
    if context.current is not None:
        return RedirectResponse(target, 303)
    error = asked(context, "error", 2000)
    return {
        "target": target,
        "failed": _ERRORS.get(error, "The sign-in with the provider failed.") if error else "",
        "providers": [
            (each.id, _NAMES.get(each.id, each.id.capitalize()))
            for each in context.settings.social.providers
        ],
    }


def screen_at(given: str) -> str:
    """A screen of this page, and never another address."""
    return given if _SCREEN.fullmatch(given) and not _DOTS.search(given) else PREFIX


screen = Screen(sign_in, "sign-in.html", is_public=True)
