"""POST /callback/:id: what a provider has a browser post goes on in an address.

The cookies are SameSite=Lax: the post of another site brings none, the GET after it does.
"""

from urllib.parse import quote

from ada_url import URLSearchParams
from starlette.responses import Response

from .context import RequestContext, redirect
from .provider_endpoints import FROM_PROVIDER


async def forward(context: RequestContext) -> Response:
    """Come back from a provider by a form: on to the same address with what it holds."""
    values = (context.body if isinstance(context.body, dict) else {}) | context.query
    query = URLSearchParams("")
    for name in FROM_PROVIDER:
        if name in values:
            query.append(name, values[name])
    name = quote(context.path_params["id"], safe="")
    return redirect(f"{context.services.base_url}/callback/{name}?{query}")
