"""A real PostgreSQL on this machine, for development and tests."""

import asyncio
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from dev.folder import Folder
from dev.postgres_cluster import Cluster, find_programs, folder_name, major_version
from dev.server import Server, running
from dev.unprivileged import Identity, choose

CONNECT_TIMEOUT = 20.0


@contextmanager
def postgres(
    data: Path,
    *,
    durable: bool = True,
    port: int | None = None,
    identity: Identity | None = None,
) -> Iterator[str]:
    """Run PostgreSQL on 127.0.0.1; yield `postgresql://postgres:PASSWORD@127.0.0.1:PORT/postgres`.

    The data is in a folder below `data`, named after the major version. The first use creates it.
    `durable=False` is faster, but a power failure may lose data.
    Raise StartError or FolderInUseError.
    """
    programs = find_programs()
    identity = identity or choose()
    folder = Folder(data / folder_name(major_version(programs), identity))
    with folder.held() as lock:
        password = folder.password()
        cluster = Cluster(programs, folder, identity)
        cluster.make_if_missing(durable=durable)
        cluster.remove_stale_pid_file()
        server = Server(
            name="PostgreSQL",
            command=lambda port: [programs / "postgres", *options(cluster.path, port, durable)],
            answers=lambda port: answers(url(password, port)),
            stop_signal=signal.SIGINT,  # on SIGTERM, PostgreSQL would wait for every client
            identity=identity,
        )
        with running(server, folder, lock, port) as chosen:
            yield url(password, chosen)


def url(password: str, port: int) -> str:
    """Return the URL of the server's maintenance database."""
    return f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"


def options(cluster: Path, port: int, durable: bool) -> list[str]:
    """Return the server's arguments: TCP on loopback only, and room for many connection pools."""
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",  # the path of a socket is limited to 107 bytes
        "max_connections": "200",
        "timezone": "UTC",
    }
    if not durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    return ["-D", str(cluster), *(f"--{name}={value}" for name, value in settings.items())]


def answers(url: str) -> bool:
    """Return whether a login works. Only our own server knows the password."""

    async def log_in() -> None:
        connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT, ssl=False)
        await connection.close()

    # In a thread, because the caller may already run an event loop in this one.
    with ThreadPoolExecutor(1) as thread:
        try:
            thread.submit(lambda: asyncio.run(log_in())).result()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
    return True
