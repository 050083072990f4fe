"""The libraries that a process loads at its start. Unused ones cost time and memory."""

import json

import pytest

from app.core.config import Settings
from app.core.oidc_settings import OidcProvider
from tests.support.processes import run_process

LIST_MODULES = """
import json, sys
import run_base_worker, run_email_worker
of_workers = sorted(sys.modules)
import app.__main__
without_http = sorted(sys.modules)
import main
print(json.dumps([of_workers, without_http, sorted(sys.modules)]))
"""
LIST_ANALYZED_ROUTES = """
import json
from app.core.http.lazy_route import LazyRoute
from main import app
lazy = [route for route in app.routes if isinstance(route, LazyRoute)]
assert len(lazy) > 200
print(json.dumps([route.path for route in lazy if route.is_analyzed]))
"""

NEVER_AT_THE_START = {
    "aiosmtplib",
    "alembic",
    "attr",
    "authlib",
    "cryptography.hazmat",
    "httpx2",
    "jinja2",
    "joserfc",
    "opentelemetry.sdk.metrics",
    "opentelemetry.sdk.trace",
    "prometheus_client",
    "pwdlib",
    "pydantic.v1",
    "pygments",
    "pytz",
    "rich",
    "segno",
    "sentry_sdk",
    "webauthn",
}
NEVER_IN_WORKERS = {
    "app.cli",
    "app.core.control",
    "app.core.security.password_policy",
    "opentelemetry",
}
ONLY_WITH_HTTP = {"anyio", "fastapi", "jwt", "python_multipart", "starlette", "uvicorn"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Settings with a provider, whose libraries are large."""
    acme = {"issuer": "https://acme.example.com", "client_id": "a", "client_secret": "b"}
    return settings.model_copy(
        update={"oidc_providers": {"acme": OidcProvider.model_validate(acme)}}
    )


async def test_a_process_loads_only_what_it_needs(settings: Settings) -> None:
    async with run_process(settings, "-c", LIST_MODULES) as process:
        assert await process.wait_for_exit() == 0, process.output
    of_workers, without_http, with_http = map(set, json.loads(process.output.splitlines()[-1]))

    assert of_workers & NEVER_IN_WORKERS == set()
    assert without_http & (NEVER_AT_THE_START | ONLY_WITH_HTTP) == set()
    assert with_http & NEVER_AT_THE_START == set()
    assert with_http >= ONLY_WITH_HTTP - {"python_multipart"}


async def test_the_start_analyzes_no_endpoint(settings: Settings) -> None:
    async with run_process(settings, "-c", LIST_ANALYZED_ROUTES) as process:
        assert await process.wait_for_exit() == 0, process.output
    assert json.loads(process.output.splitlines()[-1]) == []
