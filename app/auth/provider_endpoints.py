"""The endpoints of a sign-in with a provider: their paths, and what is checked of a request.

Each makes a route of a handler. There are two of each: with GATEPOST_PROVIDERS those of ``social``,
without it those of ``no_providers``.
"""

from functools import partial
from typing import Final

from .endpoint import get, post
from .rate_limit import default_rule
from .validation import account_selector, fields, optional, provider, string

FROM_PROVIDER: Final = (
    "code", "error", "device_id", "error_description", "state", "user", "iss",
)  # fmt: skip
"""What a provider sends back."""
_RETURNED: Final = fields({name: optional(string) for name in FROM_PROVIDER})

sign_in_social: Final = partial(post, "/sign-in/social", body=provider)
link_social: Final = partial(
    post,
    "/link-social",
    body=provider,
    session="session",
    rate_limit=default_rule("/sign-in"),  # it leaves a row, too
)
callback: Final = partial(get, "/callback/{id}", query=_RETURNED)
posted_callback: Final = partial(
    post,
    "/callback/{id}",
    body=optional(_RETURNED),
    query=_RETURNED,
    accepts_form=True,
    is_posted_by_others=True,
)
get_access_token: Final = partial(
    post, "/get-access-token", body=account_selector, session="optional"
)
refresh_token: Final = partial(post, "/refresh-token", body=account_selector, session="optional")
account_info: Final = partial(get, "/account-info", query=account_selector, session="optional")
