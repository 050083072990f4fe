"""An HAProxy in front of the API's processes."""

import http.client
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dev.folder import Folder, write_private
from dev.server import Server, running
from tests.seams.components import find_component

SERVERS_PATH = "/haproxy/servers"
"""The page where HAProxy shows the number of usable servers."""

CONFIGURATION = """\
global
  maxconn 500
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
  timeout check 20s
  option httpchk GET /health/ready
  option redispatch
  default-server inter 200ms fall 1 rise 1
frontend entrance
  bind 127.0.0.1:{port}
  http-request return content-type text/plain lf-string %[nbsrv(api)] if {{ path {servers_path} }}
  {rules}
  default_backend api
backend api
  balance roundrobin
  {servers}
"""


@contextmanager
def haproxy(folder: Path, ports: Sequence[int], *, prefix: str = "") -> Iterator[int]:
    """Run HAProxy in front of processes of the API, and yield the port for clients.

    With a prefix, clients use the service below it, and HAProxy removes it.
    """
    program = find_component("haproxy", "haproxy")
    place = Folder(folder)
    rules = ""
    if prefix:
        rules = f"http-request replace-path {prefix}(/.*)?$ \\1"

    def command(port: int) -> list[str | Path]:
        servers = "\n  ".join(f"server api{each} 127.0.0.1:{each} check" for each in ports)
        configuration = place.path / "haproxy.cfg"
        text = CONFIGURATION.format(
            port=port, rules=rules, servers=servers, servers_path=SERVERS_PATH
        )
        write_private(configuration, text)
        return [program, "-f", configuration]

    server = Server(name="HAProxy", command=command, answers=_answers)
    with place.held() as lock, running(server, place, lock, None) as port:
        yield port


def _answers(port: int) -> bool:
    """Return whether a request succeeds. HAProxy answers 503 while no process is ready."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status in {200, 404, 503}
    except OSError:
        return False
    finally:
        connection.close()
