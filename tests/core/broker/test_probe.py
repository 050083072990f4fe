import re
from importlib.resources import files
from pathlib import Path

import pytest

from app.core.broker.probe import PermissionMissing, probe
from app.core.broker.scripts import script
from app.core.config import Settings
from app.core.queue import BASE, QueuePools
from app.core.redis import open_pool, queue_address
from app.core.urls.redis import RedisAddress
from dev.valkey import valkey

OPTIONAL = {b"PUBLISH"}
"""Without this permission, streams of events only show changes later."""

COMMAND = re.compile(rb"redis\.p?call\('([A-Z]+)'")


def test_every_command_of_a_script_is_probed() -> None:
    folder = files("app.core.broker").joinpath("lua")
    used = {name for file in folder.iterdir() for name in COMMAND.findall(file.read_bytes())}

    assert used - OPTIONAL <= set(re.findall(rb"\{'([A-Z]+)'", script("probe").source))


async def test_a_probe_leaves_nothing_behind(queues: QueuePools) -> None:
    await probe(queues[BASE])

    assert await queues[BASE].dbsize() == 0


@pytest.mark.parametrize(
    ("rules", "missing"),
    [
        ("+@all -eval", ["EVAL"]),
        ("+@all -evalsha", ["EVALSHA"]),
        ("+@all -set -zadd", ["SET", "ZADD"]),
        ("+@all -blpop", ["BLPOP"]),
        ("+@all -multi", ["MULTI"]),
        ("+@all -@dangerous", ["INFO"]),
    ],
)
async def test_a_permission_that_is_missing_is_named(
    settings: Settings, queues: QueuePools, rules: str, missing: list[str]
) -> None:
    name = f"limited-{settings.database_url.rpartition('_')[2]}"
    admin = queues[BASE]
    await admin.execute_command(  # type: ignore[no-untyped-call]
        *("ACL", "SETUSER", name, "on", ">pw", "~*", *rules.split())
    )
    address = RedisAddress.parse(queue_address(BASE, settings).url)
    limited = settings.model_copy(
        update={"queue_redis_urls": {"base": _as_user(address, name).url}}
    )
    pool = open_pool(BASE, limited)

    with pytest.raises(PermissionMissing) as failure:
        await probe(pool)

    await pool.aclose(close_connection_pool=True)
    await admin.execute_command("ACL", "DELUSER", name)  # type: ignore[no-untyped-call]
    assert failure.value.missing == missing


async def test_keys_without_a_permission_are_named(tmp_path: Path, settings: Settings) -> None:
    with valkey(tmp_path, durable=False) as url:
        pool = open_pool(BASE, settings.model_copy(update={"queue_redis_urls": {"base": url}}))
        await pool.execute_command(  # type: ignore[no-untyped-call]
            *("ACL", "SETUSER", "limited", "on", ">pw", "~other:*", "+@all")
        )
        address = _as_user(RedisAddress.parse(url), "limited")
        limited = open_pool(
            BASE, settings.model_copy(update={"queue_redis_urls": {"base": address.url}})
        )

        with pytest.raises(PermissionMissing, match="keys"):
            await probe(limited)

        for each in (pool, limited):
            await each.aclose(close_connection_pool=True)


def _as_user(address: RedisAddress, name: str) -> RedisAddress:
    hosts = ",".join(f"{host}:{port}" for host, port in address.hosts)
    return RedisAddress.parse(f"redis://{name}:pw@{hosts}/{address.database}")
