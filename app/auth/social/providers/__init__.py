"""One declaration for each provider; imported when it is configured."""

from importlib import import_module

from ....settings import ProviderSettings
from ..provider import Provider


def declaration_of(settings: ProviderSettings) -> Provider:
    """What the module of a provider declares; the generic one's, when it is not built in."""
    name = settings.id if settings.is_built_in else "generic"
    return import_module(f"{__name__}.{name}").declare(settings)
