import httpx2
import pytest

from app.core.resources import Resources
from tests.support.accounts import API
from tests.support.service import serve, with_settings

OURS = "https://service.example.com"
FRONT = "https://front.example.com"
FOREIGN = "https://evil.example.com"


async def ask_to_refresh(
    resources: Resources, headers: dict[str, str], **changes: object
) -> httpx2.Response:
    """Call a route that reads a cookie, without a cookie, in a service with changed settings."""
    async with serve(with_settings(resources, **changes)) as client:
        return await client.post(f"{API}/login/refresh", headers=headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": OURS},
        {"Origin": OURS, "Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://localhost:5000", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": FRONT, "Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
async def test_our_pages_listed_front_ends_and_programs_are_allowed(
    resources: Resources, headers: dict[str, str]
) -> None:
    answer = await ask_to_refresh(resources, headers, cors_origins=[FRONT], cors_credentials=True)

    assert answer.status_code == 401, "there is no cookie"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": FOREIGN},
        {"Origin": FOREIGN, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": "*"},
        {"Origin": ""},
        {"Origin": "http://service.example.com"},
        {"Origin": f"{OURS}:8443"},
        {"Origin": f"{OURS}.evil.example.com"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
    ids=str,
)
async def test_a_page_of_another_site_is_refused(
    resources: Resources, headers: dict[str, str]
) -> None:
    answer = await ask_to_refresh(resources, headers, cors_origins=["*"], cors_credentials=True)

    assert (answer.status_code, answer.json()["status"]) == (403, 403)


async def test_a_front_end_without_credentials_is_refused(resources: Resources) -> None:
    answer = await ask_to_refresh(resources, {"Origin": FRONT}, cors_origins=[FRONT])

    assert answer.status_code == 403
