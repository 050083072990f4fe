"""PostgreSQL and Redis with certificates of a private authority."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError
from sqlalchemy import make_url, text

from app.core.config import Settings
from app.core.database import open_database
from app.core.exceptions import DatabaseUnavailable
from app.core.queue import EMAIL
from app.core.redis import open_pool
from dev.processes import free_port
from tests.seams.certificates import Certificates, issue_certificates
from tests.seams.components import find_component
from tests.seams.deployment import deployed
from tests.seams.replication import PostgresServer, postgres_server
from tests.seams.sentinels import PASSWORD, redis_server
from tests.support.processes import run_process

pytestmark = pytest.mark.seams

CHECK = ("-m", "arq", "app.core.worker.email_settings.WorkerSettings", "--check")


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return issue_certificates(tmp_path / "certificates")


@pytest.fixture
def postgres_with_tls(tmp_path: Path, certificates: Certificates) -> Iterator[PostgresServer]:
    with postgres_server(
        tmp_path / "postgres",
        {
            "ssl": "on",
            "ssl_cert_file": str(certificates.certificate),
            "ssl_key_file": str(certificates.key),
        },
        programs=find_component("initdb", "postgresql").parent,
    ) as server:
        yield server


@pytest.fixture
def redis_with_tls(tmp_path: Path, certificates: Certificates) -> Iterator[int]:
    configuration = f"""\
port 0
tls-port {{port}}
tls-cert-file "{certificates.certificate}"
tls-key-file "{certificates.key}"
tls-ca-cert-file "{certificates.authority}"
tls-auth-clients no
requirepass {PASSWORD}
save ""
"""
    options = {"ssl": True, "ssl_ca_certs": str(certificates.authority)}
    program = find_component("redis-server", "redis-server")
    with redis_server(
        program, tmp_path / "redis", configuration, free_port(), options=options
    ) as port:
        yield port


def through_tls(settings: Settings, server: PostgresServer, parameters: str) -> Settings:
    url = make_url(server.url).set(drivername="postgresql+asyncpg")
    shown = url.render_as_string(hide_password=False)
    return settings.model_copy(update={"database_url": f"{shown}?{parameters}"})


async def test_a_server_is_verified_by_its_certificate(
    settings: Settings, postgres_with_tls: PostgresServer, certificates: Certificates
) -> None:
    parameters = f"sslmode=verify-full&sslrootcert={certificates.authority}"
    verified = through_tls(settings, postgres_with_tls, parameters)
    async with open_database(verified) as database, database.engine.connect() as connection:
        encrypted = await connection.scalar(
            text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        )

    assert encrypted is True


async def test_a_certificate_of_another_authority_is_rejected(
    settings: Settings, postgres_with_tls: PostgresServer, tmp_path: Path
) -> None:
    others = issue_certificates(tmp_path / "others")
    parameters = f"sslmode=verify-full&sslrootcert={others.authority}"
    async with open_database(through_tls(settings, postgres_with_tls, parameters)) as database:
        with pytest.raises(DatabaseUnavailable) as failure:
            await database.ping()

    assert "has no valid certificate" in failure.value.cause
    assert "sslrootcert" in failure.value.cause


async def test_a_worker_and_its_health_check_trust_a_private_authority(
    own_settings: Settings, redis_with_tls: int, certificates: Certificates, tmp_path: Path
) -> None:
    url = f"rediss://:{PASSWORD}@127.0.0.1:{redis_with_tls}"
    trusting = own_settings.model_copy(
        update={
            "redis_url": f"{url}?ssl_ca_certs={certificates.authority}",
            "queue_redis_urls": {},
        }
    )
    async with deployed(trusting, tmp_path) as deployment:
        await deployment.start_worker("email")
        async with run_process(trusting, *CHECK) as check:
            assert await check.wait_for_exit() == 0


@pytest.mark.parametrize("parameters", ["", "?ssl_ca_certs={other}"])
async def test_a_redis_without_a_trusted_certificate_is_refused(
    own_settings: Settings, redis_with_tls: int, tmp_path: Path, parameters: str
) -> None:
    other = issue_certificates(tmp_path / "others").authority
    url = f"rediss://:{PASSWORD}@127.0.0.1:{redis_with_tls}{parameters.format(other=other)}"
    pool = open_pool(EMAIL, own_settings.model_copy(update={"queue_redis_urls": {"email": url}}))

    with pytest.raises(RedisError, match="certificate verify failed"):
        await pool.ping()

    await pool.aclose(close_connection_pool=True)
