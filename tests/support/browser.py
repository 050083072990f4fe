"""A browser that keeps cookies and logs in with a provider."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from urllib.parse import parse_qs, urlsplit

import httpx2
from pydantic import HttpUrl

from app.core.oidc.clients import open_oidc_clients
from app.core.resources import Resources
from tests.support.accounts import API, bearer
from tests.support.oidc_provider import TestProvider
from tests.support.service import serve, with_settings
from tests.support.waiting import STALLED_AFTER

SERVICE = "https://service.example.com"


@dataclass(frozen=True)
class Browser:
    service: httpx2.AsyncClient
    web: httpx2.AsyncClient

    async def begin(self, provider: str = "acme", **query: str) -> httpx2.Response:
        return await self.service.get(f"{API}/login/oidc/{provider}", params=query)

    async def at_provider(self, url: str) -> str:
        """Log in at the provider, and return the redirect of the browser."""
        answer = await self.web.get(url)
        return answer.headers["location"]

    async def answered(self, provider: str = "acme", **query: str) -> str:
        """Start a login, and return the final address of the browser."""
        begun = await self.begin(provider, **query)
        return await self.at_provider(begun.headers["location"])

    async def log_in(self, provider: str = "acme", **query: str) -> httpx2.Response:
        return await self.service.get(await self.answered(provider, **query))

    async def access_token(self) -> str | None:
        """Return an access token, as a page requests it with the cookie alone."""
        answer = await self.service.post(f"{API}/login/refresh")
        token = answer.json().get("access_token")
        assert token is None or isinstance(token, str)
        return token

    async def me(self) -> dict[str, object]:
        """Return the user who is logged in here."""
        headers = bearer(await self.access_token() or "")
        answer: dict[str, object] = (
            await self.service.get(f"{API}/users/me", headers=headers)
        ).json()
        return answer


def with_front_end(resources: Resources) -> Resources:
    """Return the resources of a service with a front end instead of the account pages."""
    return with_settings(resources, front_end_url=HttpUrl(SERVICE))


@asynccontextmanager
async def open_browser(
    resources: Resources, address: str = "192.0.2.7", /, **providers: TestProvider
) -> AsyncIterator[Browser]:
    """Open a browser without cookies on a service that has these providers."""
    settings = resources.settings.model_copy(
        update={"oidc_providers": {name: it.settings for name, it in providers.items()}}
    )
    async with open_oidc_clients(settings) as oidc:
        changed = replace(resources, settings=settings, oidc=oidc)
        # Loopback has no TLS, and loading the certificates of all authorities takes long.
        web = httpx2.AsyncClient(verify=False, timeout=STALLED_AFTER)
        async with serve(changed, SERVICE, address=address) as service, web:
            yield Browser(service, web)


def error_code(answer: httpx2.Response) -> str | None:
    """Return the error code in the address where the browser ends up."""
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"].startswith(f"{SERVICE}/")
    return parse_qs(urlsplit(answer.headers["location"]).query).get("error", [None])[0]
