import pytest

from app.core.config import Settings
from app.core.queue import BASE, EMAIL
from app.core.redis import open_client, open_pool, queue_address
from app.core.worker.engine.arq_bridge import redis_settings


@pytest.mark.parametrize(
    ("shared", "own"),
    [
        ("redis://:p@redis:6379", "redis://:p@redis:6379/2"),
        ("redis://:p@redis:6379/9", "redis://:p@redis:6379/2"),
        ("rediss://u:p@redis:6379?ssl_check_hostname=true", None),
        ("unix://:p@/run/redis.sock", "unix://:p@/run/redis.sock?db=2"),
    ],
)
def test_each_queue_uses_its_own_database_of_the_shared_redis(shared: str, own: str | None) -> None:
    settings = Settings(_env_file=None, redis_url=shared)

    assert queue_address(EMAIL, settings).url == (
        own or "rediss://u:p@redis:6379/2?ssl_check_hostname=true"
    )


@pytest.mark.parametrize(
    "url",
    [
        "redis://:p%40ss@redis:6380/3",
        "rediss://user:p%40ss@redis/3",
        "unix://user:p%40ss@/run/redis.sock?db=3",
    ],
)
def test_arqs_own_command_reaches_the_same_redis(url: str) -> None:
    settings = Settings(_env_file=None, queue_redis_urls={"base": url})

    ours = open_pool(BASE, settings).connection_pool.connection_kwargs
    arqs = redis_settings(BASE, settings)

    assert arqs.database == ours["db"] == 3
    assert arqs.password == ours["password"] == "p@ss"
    assert arqs.username == ours.get("username")
    assert arqs.host == ours.get("host", "localhost")
    assert arqs.port == ours.get("port", 6379)
    assert arqs.unix_socket_path == ours.get("path")
    assert arqs.ssl is url.startswith("rediss")


async def test_a_connection_that_the_server_has_closed_costs_no_command(settings: Settings) -> None:
    pool = open_pool(BASE, settings)
    connection = await pool.client_id()
    with open_client(BASE, settings) as other:
        other.client_kill_filter(_id=connection)

    assert await pool.ping()
    await pool.aclose(close_connection_pool=True)
