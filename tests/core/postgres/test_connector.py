import socket
from urllib.parse import quote

import asyncpg
import pytest
from sqlalchemy import make_url

from app.core.config import Settings
from app.core.exceptions import DatabaseUnavailable
from app.core.postgres.connector import Connector
from tests.support.waiting import STALLED_AFTER


async def connected(
    settings: Settings, parameters: str = "", **changes: object
) -> asyncpg.Connection:
    url = f"{settings.database_url}?{parameters}"
    changed = settings.model_copy(update={"database_url": url, **changes})
    return await Connector(changed, command_timeout=STALLED_AFTER)()


async def test_an_idle_connection_sends_keepalives(settings: Settings) -> None:
    connection = await connected(settings, "keepalives_idle=12&tcp_user_timeout=3456")
    link = connection._transport.get_extra_info("socket")  # type: ignore[attr-defined]  # noqa: SLF001

    assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 12
        assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 10
        assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 3456
    await connection.close()


async def test_a_url_names_the_application_and_the_servers_options(settings: Settings) -> None:
    options = quote("-c search_path=elsewhere")
    connection = await connected(settings, f"application_name=shop&options={options}")

    assert await connection.fetchval("SHOW application_name") == "shop"
    assert await connection.fetchval("SHOW search_path") == "elsewhere"
    await connection.close()


async def test_behind_a_pooler_no_startup_parameter_is_sent(settings: Settings) -> None:
    connection = await connected(settings, database_pooler="transaction")

    assert await connection.fetchval("SHOW application_name") == ""
    await connection.close()


async def test_one_of_several_servers_that_answers_is_found(settings: Settings) -> None:
    url = make_url(settings.database_url)
    several = url.set(host=None, port=None).update_query_dict(
        {"host": f"127.0.0.1:1,{url.host}:{url.port}", "target_session_attrs": "read-write"}
    )
    changed = settings.model_copy(
        update={"database_url": several.render_as_string(hide_password=False)}
    )
    connection = await Connector(changed, command_timeout=STALLED_AFTER)()

    assert await connection.fetchval("SELECT 1") == 1
    await connection.close()


async def test_a_server_without_connections_left_is_named_with_the_cure(
    settings: Settings, superuser_settings: Settings
) -> None:
    superuser = await connected(superuser_settings)
    await superuser.execute("CREATE ROLE crowded LOGIN PASSWORD 'pw' CONNECTION LIMIT 0")
    url = make_url(settings.database_url).set(username="crowded", password="pw")
    crowded = settings.model_copy(
        update={"database_url": url.render_as_string(hide_password=False)}
    )

    with pytest.raises(DatabaseUnavailable) as failure:
        await Connector(crowded, command_timeout=STALLED_AFTER)()

    assert "has no connection left" in failure.value.cause
    assert "DATABASE_POOL_SIZE" in failure.value.cause
    await superuser.execute("DROP ROLE crowded")
    await superuser.close()


@pytest.mark.parametrize("role", ["", "owner", "admin"])
async def test_a_failed_login_names_the_variable_of_its_role(settings: Settings, role: str) -> None:
    wrong = make_url(settings.database_url).set(password="wrong")
    url = wrong.render_as_string(hide_password=False)
    changed = {"database_url": url} | ({f"database_{role}_url": url} if role else {})
    rejected = settings.model_copy(update=changed)

    with pytest.raises(DatabaseUnavailable) as failure:
        await Connector(rejected, command_timeout=STALLED_AFTER)()

    variable = f"DATABASE_{role.upper()}_URL" if role else "DATABASE_URL"
    assert failure.value.cause.endswith(f"Correct {variable}")
