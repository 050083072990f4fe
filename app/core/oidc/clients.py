"""The clients of all configured OpenID Connect providers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import Protocol

from app.core.config import Settings
from app.core.oidc.authorization_response import AuthorizationResponse
from app.core.oidc.claims import Claims
from app.core.oidc.login_state import LoginState
from app.core.oidc_settings import OidcProvider

CALLBACK = "/api/v1/login/oidc/{provider}/callback"
"""The path of the redirect URI, after PUBLIC_URL. The redirect URI is registered at a provider."""


class OidcClient(Protocol):
    """A client of one provider. Both methods may raise ProviderUnavailable."""

    async def authorization_url(self, login: LoginState) -> str:
        """Return the address at the provider that starts the login."""

    async def exchange(self, login: LoginState, response: AuthorizationResponse) -> Claims:
        """Exchange the code for the verified claims of the user. Raises InvalidResponse."""


class OidcClients(Protocol):
    async def client(self, name: str) -> OidcClient:
        """Return the client of a provider. Raises KeyError if it is not configured."""


class LazyOidcClients:
    """Opens the client of a provider at the first login with it.

    Importing its libraries is slow. A worker, or a service without providers, does not import them.
    """

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._settings = settings
        self._stack = stack
        self._clients: dict[str, OidcClient] = {}
        self._opening = asyncio.Lock()

    async def client(self, name: str) -> OidcClient:
        provider = self._settings.oidc_providers[name]
        async with self._opening:
            if name not in self._clients:
                client = await asyncio.to_thread(_create_client, name, provider, self._settings)
                self._clients[name] = await self._stack.enter_async_context(aclosing(client))
        return self._clients[name]


class _ClosableClient(OidcClient, Protocol):
    async def aclose(self) -> None: ...


@asynccontextmanager
async def open_oidc_clients(settings: Settings) -> AsyncIterator[OidcClients]:
    """Yield the clients. At the end, close those that were opened."""
    async with AsyncExitStack() as stack:
        yield LazyOidcClients(settings, stack)


def _create_client(name: str, provider: OidcProvider, settings: Settings) -> _ClosableClient:
    from app.core.oidc.authlib_client import AuthlibClient  # noqa: PLC0415  see LazyOidcClients

    base = str(settings.public_url).rstrip("/")
    redirect_uri = base + CALLBACK.format(provider=name)
    return AuthlibClient(name, provider, redirect_uri=redirect_uri, timeout=settings.oidc_timeout)
