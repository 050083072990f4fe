"""A Redis with a replica, and three Sentinels that watch them."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dev.folder import Folder, write_private
from dev.processes import free_port
from dev.server import Server, running
from dev.valkey import find_program

SERVICE, PASSWORD, SENTINEL_PASSWORD = "primary", "password-of-redis", "password-of-sentinels"
DOWN_AFTER_MS = 2_000

Options = Mapping[str, Any]
"""The options of a redis-py client, except the port."""


@dataclass
class RedisCluster:
    """Ports of the servers and of their Sentinels, and how clients log in."""

    servers: list[int]
    sentinels: list[int]
    options: Options = field(default_factory=dict)

    def url(self, *, scheme: str = "redis+sentinel", parameters: str = "") -> str:
        """Return the URL of the service, without a database number."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        query = f"sentinel_password={SENTINEL_PASSWORD}{parameters}"
        return f"{scheme}://:{PASSWORD}@{hosts}/{SERVICE}?{query}"

    def primary(self) -> int:
        """Ask a Sentinel where the primary is."""
        with redis.Redis(
            "127.0.0.1", self.sentinels[0], password=SENTINEL_PASSWORD, **self.options
        ) as client:
            return int(client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)[1])

    def fail_over(self) -> None:
        """Make the Sentinels promote the replica while the primary still works."""
        with redis.Redis(
            "127.0.0.1", self.sentinels[0], password=SENTINEL_PASSWORD, **self.options
        ) as client:
            client.execute_command("SENTINEL", "FAILOVER", SERVICE)

    def client(self, port: int) -> "redis.Redis":
        return redis.Redis("127.0.0.1", port, password=PASSWORD, **self.options)

    def kill(self, port: int) -> None:
        """Kill a server as a failing machine would."""
        with self.client(port) as client:
            pid = client.info("server")["process_id"]
        os.kill(pid, signal.SIGKILL)


@contextmanager
def redis_cluster(folder: Path) -> Iterator[RedisCluster]:
    """Run a primary, a replica, and three Sentinels. Return when the Sentinels know each other."""
    program = find_program()
    cluster = RedisCluster([free_port()], [])
    with ExitStack() as stack:
        stack.enter_context(
            redis_server(program, folder / "first", _data(folder / "first"), cluster.servers[0])
        )
        following = f"replicaof 127.0.0.1 {cluster.servers[0]}\n"
        second = free_port()
        stack.enter_context(
            redis_server(program, folder / "second", _data(folder / "second") + following, second)
        )
        cluster.servers.append(second)
        for number in range(3):
            port = free_port()
            stack.enter_context(
                redis_server(
                    program,
                    folder / f"sentinel-{number}",
                    _sentinel(cluster.servers[0]),
                    port,
                    password=SENTINEL_PASSWORD,
                    arguments=["--sentinel"],
                )
            )
            cluster.sentinels.append(port)
        _wait(lambda: all(_knows_all(port) for port in cluster.sentinels))
        yield cluster


@contextmanager
def redis_server(  # noqa: PLR0913  the options of a server
    program: Path,
    folder: Path,
    configuration: str,
    port: int,
    *,
    password: str | None = PASSWORD,
    arguments: list[str] | None = None,
    options: Options | None = None,
) -> Iterator[int]:
    """Run a Redis-compatible server or a Sentinel with a configuration, and yield its port."""
    place = Folder(folder)

    def command(port: int) -> list[str | Path]:
        file = place.path / "server.conf"
        listen = "" if "tls-port" in configuration else f"port {port}\n"
        write_private(file, f"bind 127.0.0.1\n{listen}{configuration.format(port=port)}")
        return [program, file, *(arguments or [])]

    def answers(port: int) -> bool:
        with redis.Redis(
            "127.0.0.1",
            port,
            password=password,
            retry=Retry(NoBackoff(), 0),
            **(options or {}),
        ) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    server = Server(name="Redis", command=command, answers=answers)
    with place.held() as lock, running(server, place, lock, port) as chosen:
        yield chosen


def _data(folder: Path) -> str:
    return f"""\
requirepass {PASSWORD}
masterauth {PASSWORD}
dir "{folder}"
appendonly yes
save ""
maxmemory-policy noeviction
repl-diskless-sync-delay 0
"""


def _sentinel(primary: int) -> str:
    return f"""\
requirepass {SENTINEL_PASSWORD}
sentinel monitor {SERVICE} 127.0.0.1 {primary} 2
sentinel auth-pass {SERVICE} {PASSWORD}
sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}
sentinel failover-timeout {SERVICE} 10000
sentinel sentinel-pass {SENTINEL_PASSWORD}
"""


def _knows_all(port: int) -> bool:
    with redis.Redis(port=port, password=SENTINEL_PASSWORD, decode_responses=True) as client:
        states = client.execute_command("SENTINEL", "MASTERS")
        state = states[0] if isinstance(states, list) else next(iter(states.values()))
        if isinstance(state, list):
            state = dict(zip(state[::2], state[1::2], strict=True))
    return int(state["num-other-sentinels"]) == 2 and int(state["num-slaves"]) == 1


def _wait(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the servers did not find each other"
        time.sleep(0.1)
