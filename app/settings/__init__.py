"""The settings: one field for each, which declares its variable, form, default and meaning.

They are read once, at the start. `make docs` writes the tables of docs/OPERATIONS.md from these
fields and the docstrings of their classes.
"""

from .admin import AdminSettings
from .auth import AuthSettings, RateLimitMode, SameSite
from .jwt import JwtAlgorithm, JwtSettings
from .mail import MailSettings
from .providers import ProviderSettings, SocialSettings
from .service import Pooler, Settings
from .service_keys import SCOPES, KeyScope, ServiceKey, keys_in_file, service_keys
from .webhooks import WebhookSettings

__all__ = [
    "SCOPES",
    "AdminSettings",
    "AuthSettings",
    "JwtAlgorithm",
    "JwtSettings",
    "KeyScope",
    "MailSettings",
    "Pooler",
    "ProviderSettings",
    "RateLimitMode",
    "SameSite",
    "ServiceKey",
    "Settings",
    "SocialSettings",
    "WebhookSettings",
    "keys_in_file",
    "service_keys",
]
