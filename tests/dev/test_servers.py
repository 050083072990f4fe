"""The PostgreSQL and Valkey servers that bin/dev and all other tests use."""

import asyncio
import os
import re
import shutil
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import pytest
import redis
from sqlalchemy import NullPool, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from dev.child import Child
from dev.folder import Folder, FolderInUseError
from dev.postgres import postgres
from dev.postgres_cluster import find_programs
from dev.processes import free_port
from dev.server import PortTakenError, Server, StartError, running
from dev.unprivileged import Identity
from dev.valkey import find_program, settings, valkey
from tests.dev.owner import descendants, kill, owner, wait_until_gone


class Start(Protocol):
    """The common signature of `postgres` and `valkey`."""

    __name__: str

    def __call__(self, data: Path, *, port: int | None = None) -> AbstractContextManager[str]: ...


SERVE = """
import sys
from pathlib import Path
from typing import Protocol
from dev.{module} import {module}
with {module}(Path(sys.argv[1])) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def possible_identities() -> list[Identity]:
    """Return the identities that can start servers. Another user needs access to the programs."""
    if os.geteuid():
        return ["self"]
    folders = find_programs().parents
    open_to_all = all(folder.stat().st_mode & stat.S_IXOTH for folder in folders)
    return ["namespace", "nobody"] if open_to_all else ["namespace"]


both = pytest.mark.parametrize("start", [postgres, valkey])


@pytest.fixture(scope="module")
def postgres_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cluster for all tests of this file, because its creation takes longer than each test."""
    return tmp_path_factory.mktemp("postgres")


@pytest.fixture
def data(start: Start, postgres_data: Path, tmp_path: Path) -> Path:
    return postgres_data if start is postgres else tmp_path / "valkey"


def query(url: str, sql: str) -> object:
    async def answer() -> object:
        engine = create_async_engine(
            make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool
        )
        async with engine.begin() as connection:
            result = await connection.execute(text(sql))
            return result.scalar() if result.returns_rows else None

    return asyncio.run(answer())


@both
def test_a_killed_owner_leaves_no_server_and_a_restart_needs_no_clean_up(
    start: Start, data: Path
) -> None:
    with owner(SERVE.format(module=start.__name__), data) as (process, first_url):
        family = descendants(process.pid)
        kill(process.pid)
        process.wait()
        with start(data) as second_url:
            assert second_url == first_url, "clients find it where it was"
        assert len(family) >= 2
        assert wait_until_gone(family) == []


@both
def test_a_second_start_on_the_same_data_is_refused_and_names_the_holder(
    start: Start, data: Path
) -> None:
    in_use = pytest.raises(FolderInUseError, match=f"is in use by pid {os.getpid()} ")
    with start(data), in_use, start(data):
        pass


@both
def test_two_checkouts_have_two_servers(start: Start, data: Path, tmp_path: Path) -> None:
    with start(data):
        pass
    copy = shutil.copytree(data, tmp_path / "other checkout")  # initdb would take longer
    with start(data) as one, start(copy) as other:
        assert port_of(one) != port_of(other)


@both
def test_a_port_that_is_wanted_and_taken_is_named_with_its_holder(start: Start, data: Path) -> None:
    with listener() as port:
        taken = pytest.raises(PortTakenError, match=f"Port {port} is taken by pid {os.getpid()} ")
        with taken, start(data, port=port):
            pass


@both
def test_the_password_is_generated_and_private(start: Start, data: Path) -> None:
    with start(data) as url:
        password = str(make_url(url).password).encode()
        holders = [
            path for path in data.rglob("*") if path.is_file() and password in path.read_bytes()
        ]
        assert len(password) >= 32
        assert {path.stat().st_mode & 0o777 for path in holders} == {0o600}


@pytest.mark.parametrize("identity", possible_identities())
def test_postgres_starts_twice_as_every_user_that_this_user_may_be(
    identity: Identity, tmp_path: Path
) -> None:
    for expected in (None, "kept"):
        with postgres(tmp_path, durable=False, identity=identity) as url:
            query(url, "create table if not exists note (text text)")
            assert query(url, "select text from note") == expected
            query(url, "insert into note values ('kept')")
    [cluster] = tmp_path.glob("*/cluster")
    assert (cluster.stat().st_uid == os.geteuid()) == (identity != "nobody")


def test_postgres_compares_letters_of_all_languages_without_case(postgres_data: Path) -> None:
    with postgres(postgres_data) as url:
        assert query(url, "select 'ÄRGER' ilike 'ärger'") is True


def test_postgres_requires_the_password(postgres_data: Path) -> None:
    with postgres(postgres_data) as url, pytest.raises(DBAPIError, match="password"):
        query(re.sub(":[^:@]+@", ":guess@", url), "select 1")


def test_a_pid_file_that_names_another_process_does_not_prevent_the_start(
    postgres_data: Path,
) -> None:
    with postgres(postgres_data):
        pass
    [cluster] = postgres_data.glob("*/cluster")
    (cluster / "postmaster.pid").write_text(f"{os.getpid()}\n{cluster}\n")
    with postgres(postgres_data):
        pass


def test_a_server_that_was_started_by_hand_keeps_running(postgres_data: Path) -> None:
    with postgres(postgres_data):
        pass
    [cluster] = postgres_data.glob("*/cluster")
    output = os.open(os.devnull, os.O_WRONLY)
    by_hand = [sys.executable, "-c", "import time; time.sleep(60)", str(cluster)]
    with Child(by_hand, output=output) as child:
        (cluster / "postmaster.pid").write_text(f"{child.pid}\n")
        in_use = pytest.raises(FolderInUseError, match=f"is in use by pid {child.pid} ")
        with in_use, postgres(postgres_data):
            pass
    os.close(output)


def test_valkey_keeps_jobs_over_a_restart_and_never_evicts_them(tmp_path: Path) -> None:
    with valkey(tmp_path, databases=20) as url, redis.Redis.from_url(f"{url}/19") as client:
        client.set("job", "waiting")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    with valkey(tmp_path, databases=20) as url, redis.Redis.from_url(f"{url}/19") as client:
        assert client.get("job") == b"waiting"


def test_valkey_for_tests_writes_nothing_to_disk(tmp_path: Path) -> None:
    with valkey(tmp_path, durable=False) as url, redis.Redis.from_url(url) as client:
        client.set("job", "waiting")
    with valkey(tmp_path, durable=False) as url, redis.Redis.from_url(url) as client:
        assert client.get("job") is None


def test_the_last_port_is_given_up_when_another_process_has_it(tmp_path: Path) -> None:
    with listener() as port:
        Folder(tmp_path).remember_port(port)
        with valkey(tmp_path) as url:
            assert port_of(url) != port


def test_a_port_lost_in_a_race_is_replaced(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    rivals: list[socket.socket] = []

    def command(port: int) -> list[Path]:
        if not rivals:
            rivals.append(socket.create_server(("127.0.0.1", port)))
        configuration = tmp_path / "valkey.conf"
        configuration.write_text(settings(tmp_path, "secret", port, 16, durable=False))
        return [find_program(), configuration]

    def answers(port: int) -> bool:
        with socket.socket() as client:
            return (
                port != rivals[0].getsockname()[1] and client.connect_ex(("127.0.0.1", port)) == 0
            )

    server = Server("Valkey", command, answers)
    with folder.held() as lock, running(server, folder, lock, None) as port, rivals[0]:
        assert port != rivals[0].getsockname()[1]


def test_a_failed_start_shows_the_end_of_the_log(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    server = Server("Crash", lambda _: [sys.executable, "-c", "exit('disk full')"], lambda _: False)
    says_why = pytest.raises(StartError, match=r"(?s)Crash did not start.*disk full")
    with folder.held() as lock, says_why, running(server, folder, lock, free_port()):
        pass


def test_without_a_server_program_the_error_names_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartError, match="set DATABASE_URL"):
        find_programs("no_such_package", installed=tmp_path)
    with pytest.raises(StartError, match="set REDIS_URL"):
        find_program("no_such_package")


def test_servers_of_the_machine_serve_where_the_packages_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs, program = find_programs(), find_program()
    (tmp_path / "initdb").symlink_to(programs / "initdb")
    (tmp_path / "redis-server").symlink_to(program)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = find_programs("no_such_package", installed=tmp_path / "none")
    assert found == programs.resolve()
    assert find_program("no_such_package") == tmp_path / "redis-server"


def port_of(url: str) -> int | None:
    return make_url(url).port


@contextmanager
def listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
