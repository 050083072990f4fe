"""A server process on its own core, and its figures from the kernel."""

import http.client
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.http.contenders import Contender

SERVER_CORE = 0
PATIENCE = 60.0


class Server:
    """A running application."""

    def __init__(self, name: str, pid: int, port: int, start: float) -> None:
        self.name = name
        self.pid = pid
        self.port = port
        self.start = start
        """Seconds from exec to the first successful response."""

    @property
    def processor_time(self) -> float:
        """The processor time of all threads, in seconds."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(_run_time(task) for task in tasks)

    @property
    def event_loop_time(self) -> float:
        """The processor time in seconds of the main thread, which hashes no passwords."""
        return _run_time(Path(f"/proc/{self.pid}/task/{self.pid}"))

    @property
    def memory(self) -> float:
        """The resident memory in MiB."""
        resident = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        assert resident is not None
        return int(resident[1]) / 1024


def take_the_other_cores() -> None:
    """Reserve the first core for the measured servers. Everything else runs on the others."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores - {SERVER_CORE} or cores)


@contextmanager
def running(contender: Contender, health: str) -> Iterator[Server]:
    """Start an application, wait for its first response, and stop it after the block."""
    port = _free_port()
    command = [contender.python, "-m", "uvicorn", contender.app, "--port", str(port)]
    command += ["--no-access-log", "--log-level", "warning", *contender.server_options]
    others = os.sched_getaffinity(0)
    with suppress(OSError):  # there may be no such core
        os.sched_setaffinity(0, {SERVER_CORE})
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603  ours
        command,
        cwd=contender.folder,
        env=contender.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.sched_setaffinity(0, others)
    try:
        while not _answers(port, health):
            if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                raise ChildProcessError(f"{contender.name} does not start: {' '.join(command)}")
            time.sleep(0.005)
        yield Server(contender.name, process.pid, port, time.perf_counter() - began)
    finally:
        process.terminate()
        process.wait()


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _run_time(task: Path) -> float:
    return int((task / "schedstat").read_text().split()[0]) / 1e9
