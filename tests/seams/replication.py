"""Two PostgreSQL servers, a primary and a standby that can be promoted."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.folder import Folder
from dev.postgres import answers, options, url
from dev.postgres_cluster import Cluster, find_programs
from dev.processes import free_port
from dev.server import Server, running
from dev.unprivileged import Identity, choose, nobody, prefix
from tests.support.servers import execute

APPLICATION = "standby"


@dataclass
class PostgresServer:
    """A server that can be killed. Its command line has the `settings`."""

    cluster: Cluster
    settings: Mapping[str, str]
    password: str
    port: int
    stack: ExitStack

    @property
    def url(self) -> str:
        return url(self.password, self.port)

    def start(self) -> None:
        extra = [f"--{name}={value}" for name, value in self.settings.items()]
        server = Server(
            name="PostgreSQL",
            command=lambda port: [
                self.cluster.programs / "postgres",
                *options(self.cluster.path, port, False),
                *extra,
            ],
            answers=lambda port: answers(url(self.password, port)),
            stop_signal=signal.SIGINT,
            identity=self.cluster.identity,
        )
        lock = self.stack.enter_context(self.cluster.folder.held())
        self.stack.enter_context(running(server, self.cluster.folder, lock, self.port))

    def kill(self) -> None:
        """Kill the server as a failing machine would."""
        pid = int((self.cluster.path / "postmaster.pid").read_text().partition("\n")[0])
        os.kill(pid, signal.SIGKILL)

    async def execute(self, *statements: str) -> None:
        await execute(self.url, *statements)


@contextmanager
def postgres_server(
    folder: Path, settings: Mapping[str, str], programs: Path | None = None
) -> Iterator[PostgresServer]:
    """Run a PostgreSQL with its own settings."""
    identity = choose()
    cluster = Cluster(programs or find_programs(), Folder(folder), identity)
    password = cluster.folder.password()
    cluster.make_if_missing(durable=False)
    with ExitStack() as stack:
        server = PostgresServer(cluster, settings, password, free_port(), stack)
        server.start()
        yield server


@contextmanager
def standby_of(primary: PostgresServer, folder: Path) -> Iterator[PostgresServer]:
    """Run a synchronous standby of another server."""
    place = Folder(folder)
    (place.path / "password").write_text(primary.password)
    cluster = Cluster(primary.cluster.programs, place, primary.cluster.identity)
    _copy(primary, cluster)
    with ExitStack() as stack:
        settings = {"cluster_name": APPLICATION, "hot_standby": "on"}
        server = PostgresServer(cluster, settings, primary.password, free_port(), stack)
        server.start()
        yield server


def _copy(primary: PostgresServer, cluster: Cluster) -> None:
    address = f"host=127.0.0.1 port={primary.port} user=postgres password={primary.password}"
    _run(
        cluster.identity,
        cluster.folder.path,
        [
            *(str(cluster.programs / "pg_basebackup"), "-D", str(cluster.path)),
            *(
                "-d",
                f"{address} application_name={APPLICATION}",
                "-R",
                "-X",
                "stream",
                "-c",
                "fast",
            ),
        ],
    )


def _run(identity: Identity, folder: Path, command: Sequence[str]) -> None:
    if identity == "nobody":
        os.chown(folder, *nobody())
    done = subprocess.run(  # noqa: S603  programs of PostgreSQL
        [*prefix(identity), *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
