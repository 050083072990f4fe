from dataclasses import replace

import httpx2
import pytest

from app.core.config import Settings
from app.core.resources import Resources
from app.core.setup import create_application
from app.routes.same_origin import SameOrigin
from tests.conftest import given, serve

OURS = "https://service.example.com"
FRONT = "https://front.example.com"
FOREIGN = "https://evil.example.com"


async def call(
    settings: Settings, resources: Resources, headers: dict[str, str]
) -> httpx2.Response:
    app = create_application(settings, open_resources=given(replace(resources, settings=settings)))

    @app.post("/logout", dependencies=[SameOrigin], status_code=204)
    async def logout() -> None:
        pass

    async with serve(app) as client:
        return await client.post("/logout", headers=headers)


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
async def test_our_pages_listed_front_ends_and_programs_may_call(
    settings: Settings, resources: Resources, headers: dict[str, str]
) -> None:
    ours = settings.model_copy(update={"cors_origins": [FRONT], "cors_credentials": True})

    assert (await call(ours, resources, headers)).status_code == 204


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
async def test_a_foreign_page_may_not(
    settings: Settings, resources: Resources, headers: dict[str, str]
) -> None:
    open_to_all = settings.model_copy(update={"cors_origins": ["*"], "cors_credentials": True})

    answer = await call(open_to_all, resources, headers)

    assert (answer.status_code, answer.json()["status"]) == (403, 403)


async def test_a_front_end_that_may_send_no_cookies_may_not(
    settings: Settings, resources: Resources
) -> None:
    reading = settings.model_copy(update={"cors_origins": [FRONT]})

    assert (await call(reading, resources, {"Origin": FRONT})).status_code == 403
