"""A path with a wrong slash is redirected, whatever proxy is in front of the service."""

import httpx2
import pytest


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/api/v1/users", "/api/v1/users/"),
        ("/api/v1/users?skip=1&limit=2", "/api/v1/users/?skip=1&limit=2"),
        ("/api/v1/users/me/", "/api/v1/users/me"),
        ("/health/live/", "/health/live"),
        ("/api/v1/login/oidc/a%3Fb%23c/", "/api/v1/login/oidc/a%3Fb%23c"),
    ],
)
async def test_a_redirect_names_neither_scheme_nor_host(
    client: httpx2.AsyncClient, path: str, location: str
) -> None:
    response = await client.get(path)

    assert response.status_code == 307
    assert response.headers["location"] == location


@pytest.mark.parametrize(
    "path", ["//evil.example.com/", "//evil.example.com", "/nothing/here", "/nothing/here/"]
)
async def test_an_unknown_path_is_not_redirected(client: httpx2.AsyncClient, path: str) -> None:
    assert (await client.get(f"http://test{path}")).status_code == 404
