"""A Redis user with only the documented permissions, and a server with one database."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import redis

from app.core.broker.probe import PermissionMissing, probe
from app.core.broker.scripts import script
from app.core.config import Settings
from app.core.queue import BASE, QUEUES
from app.core.redis import open_pool
from app.core.security.attempts import Action, Attempt
from app.core.security.throttle import open_throttle
from app.core.urls.redis import RedisAddress
from dev.mail_catcher import MailCatcher
from dev.valkey import valkey
from tests.seams.deployment import deployed
from tests.seams.load import RATE, signing_up, wait_until_welcomed
from tests.support.processes import run_process
from tests.support.reports import Report
from tests.support.servers import ROOT

pytestmark = pytest.mark.seams

COMMANDS_OF_OPERATORS = [
    ["queues"],
    ["queues", "pause", "base"],
    ["queues", "resume", "base"],
    ["queues", "rate", "base", "10"],
    ["queues", "rate", "base", "off"],
    ["workers"],
]

OF_CONNECTIONS_AND_THROTTLE = {"select", "ttl", "script|load", "client|setinfo"}

OF_EVENTS = {"publish", "subscribe"}
"""Permissions without which only the state of a job is shown some seconds later."""


def documented_rules() -> list[str]:
    """Return the rules for a Redis user in docs/queues.md."""
    page = (ROOT / "docs/queues.md").read_text()
    match = re.search(r"ACL SETUSER service on >password (.*?)```", page, re.DOTALL)
    assert match, "docs/queues.md has no ACL SETUSER"
    return match[1].split()


@pytest.fixture
def admin(tmp_path: Path) -> Iterator["redis.Redis"]:
    """An administrator client of a server with a limited user."""
    with valkey(tmp_path / "redis", durable=False) as url, redis.Redis.from_url(url) as admin:
        allow(admin, "on", ">pw", *documented_rules())
        yield admin


@pytest.fixture
def limited(own_settings: Settings, admin: "redis.Redis") -> Settings:
    """Settings that lead to the user with the documented permissions."""
    port = admin.connection_pool.connection_kwargs["port"]
    return own_settings.model_copy(
        update={"redis_url": f"redis://service:pw@127.0.0.1:{port}", "queue_redis_urls": {}}
    )


def refused_by(admin: "redis.Redis") -> list[str]:
    """Return the commands that the server has denied to its users."""
    entries = admin.execute_command("ACL", "LOG")  # type: ignore[no-untyped-call]
    return [str(entry) for entry in entries]


def allow(admin: "redis.Redis", *rules: str) -> None:
    admin.execute_command("ACL", "SETUSER", "service", *rules)  # type: ignore[no-untyped-call]


async def test_the_documented_permissions_are_sufficient(
    limited: Settings,
    admin: "redis.Redis",
    inbox: MailCatcher,
    tmp_path: Path,
    report: Report,
) -> None:
    async with deployed(limited, tmp_path) as deployment:
        await deployment.start_api()
        for queue in QUEUES:
            await deployment.start_worker(queue.name)
        async with signing_up(deployment, every=RATE) as load:
            for command in COMMANDS_OF_OPERATORS:
                async with run_process(limited, "-m", "app", *command) as process:
                    assert await process.wait_for_exit() == 0, process.output
        welcomed = await wait_until_welcomed(inbox, set(load.accepted), within=60)
        async with httpx2.AsyncClient(base_url=deployment.api_url) as client:
            ready = (await client.get("/health/ready")).json()
    refused = refused_by(admin)

    report(f"{len(load.accepted)} signed up, {welcomed.total()} emails, refused: {refused}")
    assert refused == []
    assert load.accepted.keys() == welcomed.keys()
    assert ready["status"] == "ready"


async def test_each_documented_permission_is_needed_and_named_when_it_is_missing(
    limited: Settings, admin: "redis.Redis"
) -> None:
    granted = {rule[1:] for rule in documented_rules() if rule.startswith("+")}
    probed = {
        name.decode().lower() for name in re.findall(rb"\{'([A-Z]+)'", script("probe").source)
    }
    of_queues = granted - OF_CONNECTIONS_AND_THROTTLE - OF_EVENTS
    assert of_queues == probed | {"eval", "evalsha", "multi", "exec", "blpop"}

    pool = open_pool(BASE, limited)
    await probe(pool)
    for command in sorted(of_queues - {"exec"}):
        allow(admin, f"-{command}")
        with pytest.raises(PermissionMissing) as failure:
            await probe(pool)
        assert failure.value.missing == [command.upper()]
        allow(admin, f"+{command}")
    await pool.aclose(close_connection_pool=True)


async def test_the_throttle_counts_with_the_documented_permissions(
    limited: Settings, admin: "redis.Redis"
) -> None:
    async with open_throttle(limited) as throttle:
        await throttle.count(Attempt(Action.LOGIN, "192.0.2.1", "ada@example.com"))

    assert admin.keys("throttle:*")
    assert refused_by(admin) == []


async def test_a_server_with_one_database_serves_every_queue(
    own_settings: Settings, inbox: MailCatcher, tmp_path: Path
) -> None:
    with valkey(tmp_path / "single", durable=False, databases=1) as url:
        address = RedisAddress.parse(url).url
        single = own_settings.model_copy(
            update={
                "redis_url": address,
                "queue_redis_urls": {queue.name: address for queue in QUEUES},
            }
        )
        async with deployed(single, tmp_path) as deployment:
            await deployment.start_api()
            for queue in QUEUES:
                await deployment.start_worker(queue.name)
            async with signing_up(deployment, every=RATE) as load:
                await asyncio.sleep(2)
            welcomed = await wait_until_welcomed(inbox, set(load.accepted), within=60)

    assert load.accepted
    assert load.accepted.keys() == welcomed.keys()
