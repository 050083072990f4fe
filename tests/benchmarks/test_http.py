from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException, status
from pydantic import HttpUrl, SecretStr

from app.core.resources import Resources
from app.schemas.item import ItemCreate
from app.services.item_service import ItemService
from benchmarks.http.budget import exceeded, read_budget
from benchmarks.http.client import put_load
from benchmarks.http.contenders import (
    EMAIL,
    OURS,
    PASSWORD,
    ROOT,
    SECRET,
    VISITOR,
    Contender,
    People,
    requests_to,
    service,
)
from benchmarks.http.measures import costs_of
from tests.support.accounts import create_user, open_user_scope
from tests.support.passwords import hash_password
from tests.support.service import with_settings
from tests.support.uvicorn_server import listening


def contender_for(resources: Resources) -> Contender:
    """Return the service as the benchmark runs it, on the servers of the tests."""
    settings = resources.settings
    urls = {f"QUEUE_{n.upper()}_REDIS_URL": url for n, url in settings.queue_redis_urls.items()}
    ours = service(OURS, ROOT, settings.database_url, settings.redis_url)
    return replace(ours, variables={**ours.variables, **urls})


async def people_of(resources: Resources) -> People:
    """Create the people of the benchmark, in a service that shares its secret."""
    sharing = with_settings(
        resources, secret_key=SecretStr(SECRET), public_url=HttpUrl("http://127.0.0.1")
    )
    hashed = await hash_password(PASSWORD)
    member = await create_user(sharing, EMAIL.partition("@")[0])
    await create_user(sharing, VISITOR.partition("@")[0], password_hash=hashed)
    root = await create_user(sharing, "root", superuser=True)
    async with open_user_scope(sharing, member) as scope:
        item = await ItemService(scope).create(ItemCreate(title="A book"))
    return People(member.access_token, root.access_token, [str(member.id)], [str(item.id)])


async def test_no_request_costs_more_than_its_budget(committing_resources: Resources) -> None:
    ours = contender_for(committing_resources)
    requests = requests_to(ours, await people_of(committing_resources))

    costs = await costs_of(ours, requests)

    assert [*exceeded(costs, read_budget())] == []
    assert costs.keys() == read_budget().keys()


def test_a_request_over_its_budget_is_reported_with_its_cost() -> None:
    budget = {"read": {"calls": 700, "round_trips": 1}}
    costs = {"read": {"calls": 700, "round_trips": 2}, "new": {"calls": 1, "round_trips": 0}}

    assert [*exceeded(costs, budget)] == [
        "'read' costs 2 round trips; its budget is 1",
        "'new' has no budget: run python -m benchmarks.http --write-budget",
    ]


@pytest.mark.parametrize("connections", [1, 3])
async def test_the_built_in_client_counts_responses_and_failures(
    tmp_path: Path, connections: int
) -> None:
    app = FastAPI()

    @app.post("/things/{number}")
    async def create(number: int, data: dict[str, int]) -> dict[str, int]:
        if not number:
            raise HTTPException(status.HTTP_400_BAD_REQUEST)
        return data

    file = tmp_path / "requests.txt"
    good, bad = "/things/1", "/things/0"
    file.write_text(f'POST\n{{"a": 1}}\n1\ncontent-type: application/json\n{good}\n{bad}\n')
    async with listening(app) as port:
        seen = await put_load(port, file, connections, 0.3)

    assert seen["responses"] > 1
    assert 0 < seen["failures"] <= seen["responses"] / 2 + connections
    assert 0 < seen["p50"] <= seen["p99"]
