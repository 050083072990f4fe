"""`python -m benchmarks.processes` measures the start and the memory of one and of four processes.

Linux only. "together" counts memory that processes share only once (PSS).
"""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.http.contenders import OURS, Contender
from benchmarks.http.ground import servers
from dev.processes import free_port

API, WORKER = ["run_api.py", "--port", "{port}"], ["run_base_worker.py"]
UVICORN = ["-m", "uvicorn", "main:app", "--port", "{port}"]
STARTED = re.compile("Application startup complete|worker.started")
PATIENCE, AT_REST = 60.0, 3.0
"""Seconds."""

COMMANDS = [
    (1, API),
    (4, [*API, "--processes", "4"]),
    (4, [*UVICORN, "--workers", "4"]),
    (1, WORKER),
    (4, [*WORKER, "--processes", "4"]),
]


@dataclass(frozen=True)
class Usage:
    """The seconds from exec until all processes work, and the memory in MiB that they then use."""

    start: float
    each: float
    together: float


def main() -> int:
    print("| command | started | each | together |\n|---|---|---|---|")
    with servers(None) as contenders:
        for number, command in COMMANDS:
            with running(contenders[OURS], command, number) as (pid, start):
                usage = usage_of(pid, start)
            text = " ".join(part for part in command if part not in {"--port", "{port}"})
            memory = f"{usage.each:.0f} MiB | {usage.together:.0f} MiB"
            print(f"| `{text}` | {usage.start:.1f} s | {memory} |", flush=True)
    return 0


@contextmanager
def running(
    contender: Contender, command: Sequence[str], number: int
) -> Iterator[tuple[int, float]]:
    """Run a command until all of its processes work. Yield its pid and the time that it took."""
    arguments = [part.format(port=free_port()) for part in command]
    with tempfile.NamedTemporaryFile(prefix="benchmark-") as log:
        began = time.monotonic()
        process = subprocess.Popen(  # noqa: S603  ours
            [contender.python, *arguments],
            cwd=contender.folder,
            env=contender.environment,
            stdout=log,
            stderr=log,
        )
        try:
            while len(STARTED.findall(output := Path(log.name).read_text())) < number:
                if process.poll() is not None or time.monotonic() - began > PATIENCE:
                    raise ChildProcessError(output)
                time.sleep(0.01)
            yield process.pid, time.monotonic() - began
        finally:
            process.terminate()
            process.wait()


def usage_of(pid: int, start: float) -> Usage:
    """Measure a process and its children at rest."""
    time.sleep(AT_REST)
    children = [int(pid) for pid in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    sizes = [_sizes(pid) for pid in [pid, *children]]
    working = [resident for resident, _ in sizes[1:] or sizes]
    return Usage(start, median(working), sum(share for _, share in sizes))


def _sizes(pid: int) -> tuple[float, float]:
    """Return the resident memory of a process, and its proportional share of it, in MiB."""
    sizes = Path(f"/proc/{pid}/smaps_rollup").read_text()
    resident, share = (
        int(size) / 1024 for size in re.findall(r"^(?:Rss|Pss):\s+(\d+)", sizes, re.MULTILINE)
    )
    return resident, share


if __name__ == "__main__":
    sys.exit(main())
