from ipaddress import ip_address, ip_network

import httpx2
import pytest
from fastapi import FastAPI, Request

from app.core.config import Settings
from app.core.http.forwarded import client_address
from app.core.setup import create_application

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:aaaa::/48")]


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("198.51.100.1", [], "198.51.100.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["203.0.113.7, 10.0.0.3, 10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", ["203.0.113.7", "10.0.0.3", "10.0.0.2"], "203.0.113.7"),
        ("10.0.0.1", ["203.0.113.7:4711"], "203.0.113.7"),
        ("2001:db8:aaaa::1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("2001:db8:aaaa::1", ["2001:db8::7"], "2001:db8::7"),
        ("10.0.0.1", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
    ],
)
def test_the_client_is_the_first_stranger_on_the_way_back(
    peer: str, forwarded_for: list[str], client: str
) -> None:
    assert client_address(ip_address(peer), forwarded_for, PROXIES) == ip_address(client)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("198.51.100.1", ["127.0.0.1"], "198.51.100.1"),
        ("198.51.100.1", ["203.0.113.7, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["127.0.0.1, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.9, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["127.0.0.1", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.7, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7,"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7, 1.2.3.4.5, 10.0.0.2"], "10.0.0.2"),
    ],
)
def test_what_a_stranger_writes_is_not_believed(
    peer: str, forwarded_for: list[str], client: str
) -> None:
    assert client_address(ip_address(peer), forwarded_for, PROXIES) == ip_address(client)


def app_behind(proxies: list[str], settings: Settings) -> FastAPI:
    networks = [ip_network(proxy) for proxy in proxies]
    app = create_application(settings.model_copy(update={"trusted_proxies": networks}))

    @app.get("/me")
    async def tell(request: Request) -> list[str | None]:
        return [request.client and request.client.host, request.url.scheme]

    return app


async def told(app: FastAPI, peer: str) -> object:
    transport = httpx2.ASGITransport(app=app, client=(peer, 4711))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
        return (await client.get("/me", headers=headers)).json()


async def test_behind_a_trusted_proxy_a_route_sees_the_client_and_its_scheme(
    settings: Settings,
) -> None:
    app = app_behind(["10.0.0.0/8"], settings)

    assert await told(app, "10.0.0.1") == ["203.0.113.7", "https"]
    assert await told(app, "::ffff:10.0.0.1") == ["203.0.113.7", "https"]
    assert await told(app, "198.51.100.1") == ["198.51.100.1", "http"]


async def test_without_trusted_proxies_nobody_is_believed(settings: Settings) -> None:
    assert await told(app_behind([], settings), "127.0.0.1") == ["127.0.0.1", "http"]
