"""What the commands on webhooks share: the database, the webhook that is named, its secrets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final, TypeVar
from uuid import UUID

import typer

from ..errors import NotFoundError
from ..settings import Settings

if TYPE_CHECKING:
    from ..webhooks.signing import Vault

Row = TypeVar("Row")

IdArgument = Annotated[
    UUID, typer.Argument(metavar="WEBHOOK", help="The id of the webhook.", show_default=False)
]
EXAMPLE: Final = "5f0c3c8e-0d5e-4a52-9d37-3c1f7c1f6a10"


def vault_of(settings: Settings) -> "Vault":
    """What opens and seals secrets. Raises SettingsError."""
    secrets = settings.check_webhooks("webhooks cannot be signed").secrets
    from ..webhooks.signing import Vault  # its packages are an extra

    return Vault(secrets)


def found(rows: Sequence[Row], webhook_id: UUID) -> Row:
    """The only row. Raises NotFoundError."""
    if not rows:
        raise NotFoundError(f"there is no webhook {webhook_id}")
    return rows[0]
