"""A role, or several, as an administrator gives them."""

from typing import Any, Final

from ....admin_fields import MAX_ROLE
from ....errors import AuthError
from ...context import RequestContext
from .permissions import require

CHANGE: Final = "YOU_ARE_NOT_ALLOWED_TO_CHANGE_USERS_ROLE"
UNKNOWN: Final = "YOU_ARE_NOT_ALLOWED_TO_SET_NON_EXISTENT_VALUE"
ERRORS: Final = {CHANGE: 403, "INVALID_ROLE_TYPE": 400, UNKNOWN: 400}


def given_role(context: RequestContext, given: Any) -> str:
    """The column's text of a role or a list of them, which the one who asks may give.

    Raises AuthError, one of ``ERRORS``, or 400 VALIDATION_ERROR. Only an administrator makes one.
    """
    require(context, "user", "set-role", CHANGE)
    roles = given if isinstance(given, list) else [given]
    if not all(isinstance(role, str) for role in roles):
        raise AuthError(400, "INVALID_ROLE_TYPE")
    settings = context.settings.admin
    if settings.own is not None and not set(roles) <= settings.permissions.keys():
        raise AuthError(400, UNKNOWN)
    text = ",".join(roles)
    if len(text) > MAX_ROLE:
        problem = f"[body.role] Too big: expected string to have <={MAX_ROLE} characters"
        raise AuthError(400, "VALIDATION_ERROR", problem)
    if settings.is_administrator(text) and not settings.is_administrator(context.user.role):
        raise AuthError(403, CHANGE)
    return text
