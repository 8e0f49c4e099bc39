"""Who is this? Sessions of Gatepost, or of any Better Auth server, for Python backends.

    client = GatepostClient("https://auth.example.com")
    session = await client.session(request)  # None: nobody is signed in
    if session:
        print(session.user.email)

For frameworks: ``gatepost_client.fastapi``, ``.starlette`` and ``.django``. Without asking the
service: ``.database`` and ``.jwt``. For jobs without a browser: ``.admin``.
"""

from .errors import GatepostError, OriginError, UnavailableError, UnexpectedResponseError
from .http import GatepostClient, SyncGatepostClient
from .models import Session, User

__all__ = [
    "GatepostClient",
    "GatepostError",
    "OriginError",
    "Session",
    "SyncGatepostClient",
    "UnavailableError",
    "UnexpectedResponseError",
    "User",
    "__version__",
]

__version__ = "0.1.0"
