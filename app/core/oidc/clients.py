from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from app.core.config import Settings
from app.core.oidc.client import OidcClient

CALLBACK = "/api/v1/login/oidc/{provider}/callback"
"""Where a provider sends browsers back to. It is registered there, and begins with PUBLIC_URL."""

OidcClients = Mapping[str, OidcClient]


@asynccontextmanager
async def open_oidc_clients(settings: Settings) -> AsyncIterator[OidcClients]:
    """Hold a client for each provider. None is asked for anything before somebody logs in."""
    base = str(settings.public_url).rstrip("/")
    async with AsyncExitStack() as stack:
        clients: dict[str, OidcClient] = {}
        for name, provider in settings.oidc_providers.items():
            client = OidcClient(
                name,
                provider,
                redirect_uri=base + CALLBACK.format(provider=name),
                timeout=settings.oidc_timeout,
            )
            clients[name] = await stack.enter_async_context(aclosing(client))
        yield clients
