from ipaddress import ip_address, ip_network

import httpx2
import pytest
from fastapi import FastAPI, Request
from sqlalchemy import select

from app.core.config import Settings
from app.core.http.forwarded import client_address
from app.core.resources import Resources
from app.core.setup import create_application
from app.models import AuditEvent
from tests.support.accounts import ADA, SIGNUP
from tests.support.service import serve, with_settings

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
def test_the_client_is_the_first_untrusted_address_from_the_right(
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
        ("10.0.0.1", ["203.0.113.7, fe80::1%eth0"], "10.0.0.1"),
        ("10.0.0.1", [f"fe80::1%{'a' * 200}"], "10.0.0.1"),
        ("10.0.0.1", ["::ffff:203.0.113.7%x"], "10.0.0.1"),
        ("10.0.0.1", ["[fe80::1%25eth0]:80"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.7\x00"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.07"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.0/24"], "10.0.0.1"),
        ("10.0.0.1", ["3405803783"], "10.0.0.1"),
        ("10.0.0.1", ["٢٠٣.0.113.7"], "10.0.0.1"),
        ("10.0.0.1", ["for=203.0.113.7"], "10.0.0.1"),
        ("10.0.0.1", ['"203.0.113.7"'], "10.0.0.1"),
        ("10.0.0.1", [" , ,, "], "10.0.0.1"),
    ],
)
def test_an_untrusted_client_cannot_forge_its_address(
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


async def test_behind_a_trusted_proxy_a_route_sees_the_address_and_scheme_of_the_client(
    settings: Settings,
) -> None:
    app = app_behind(["10.0.0.0/8"], settings)

    assert await told(app, "10.0.0.1") == ["203.0.113.7", "https"]
    assert await told(app, "::ffff:10.0.0.1") == ["203.0.113.7", "https"]
    assert await told(app, "198.51.100.1") == ["198.51.100.1", "http"]


async def test_without_trusted_proxies_no_header_is_believed(settings: Settings) -> None:
    assert await told(app_behind([], settings), "127.0.0.1") == ["127.0.0.1", "http"]


@pytest.mark.parametrize("garbage", ["fe80::1%eth0", f"fe80::1%{'a' * 200}", "\x7f", "e" * 5_000])
async def test_garbage_from_a_proxy_is_neither_an_error_nor_stored(
    resources: Resources, garbage: str
) -> None:
    behind = with_settings(resources, trusted_proxies=[ip_network("127.0.0.0/8")])
    async with serve(behind) as client:
        headers = {"X-Forwarded-For": garbage}
        response = await client.post(SIGNUP, json=ADA, headers=headers)

    assert response.status_code == 201
    async with resources.unit_of_work() as uow:
        stored = await uow.session.scalars(select(AuditEvent.ip_address))
        assert {*stored} == {"127.0.0.1"}


async def test_a_neighbor_on_the_same_link_is_stored_without_its_zone(
    resources: Resources,
) -> None:
    zone = "a" * 40
    async with serve(resources, address=f"fe80::1234:5678:9abc:def0%{zone}") as client:
        assert (await client.post(SIGNUP, json=ADA)).status_code == 201

    async with resources.unit_of_work() as uow:
        stored = await uow.session.scalars(select(AuditEvent.ip_address))
        assert {*stored} == {"fe80::1234:5678:9abc:def0"}
