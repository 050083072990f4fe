"""A PgBouncer in front of a PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from dev.folder import Folder, write_private
from dev.postgres import answers
from dev.server import Server, running
from dev.unprivileged import choose
from tests.seams.components import find_component, version_of

FIRST_WITH_PREPARED_STATEMENTS = (1, 21)


def pgbouncer_supports_prepared_statements() -> bool:
    return version_of(find_component("pgbouncer", "pgbouncer")) >= FIRST_WITH_PREPARED_STATEMENTS


@contextmanager
def pgbouncer(
    folder: Path, target: str, *, pool_size: int, prepared_statements: int = 0
) -> Iterator[str]:
    """Run PgBouncer with transaction pooling in front of a database, and yield its URL."""
    program = find_component("pgbouncer", "pgbouncer")
    url = make_url(target)
    place = Folder(folder)

    def through(port: int) -> str:
        return url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)

    def command(port: int) -> list[str | Path]:
        users = place.path / "users.txt"
        write_private(users, f'"{url.username}" "{url.password}"\n')
        configuration = place.path / "pgbouncer.ini"
        option = f"max_prepared_statements = {prepared_statements}"
        write_private(
            configuration,
            f"""\
[databases]
* = host={url.host} port={url.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 1000
server_round_robin = 1
{option if prepared_statements else ""}
""",
        )
        return [program, configuration]

    plain = url.set(drivername="postgresql")
    server = Server(
        name="PgBouncer",
        command=command,
        answers=lambda port: answers(
            plain.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        ),
        identity=choose(),
    )
    with place.held() as lock, running(server, place, lock, None) as port:
        yield through(port)
