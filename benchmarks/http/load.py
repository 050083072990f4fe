"""Put load on a server, with wrk if it is installed, or else with `benchmarks/http/client.py`."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from benchmarks.http.contenders import Request

SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True)
class Load:
    """The measurement of a client. Latencies are in seconds."""

    responses: int
    failures: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        return self.responses / self.seconds


def generator() -> str:
    return "wrk" if shutil.which("wrk") else "own client"


async def put_load(port: int, request: Request, connections: int, seconds: float) -> Load:
    """Send requests for some seconds. Each connection sends its next request after a response.

    Raise RuntimeError if there is no response or a failure, because the figures would mean nothing.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        body = request.body.replace("{n}", f"-{uuid4().hex}-{{n}}")
        file.write("\n".join([request.method, body, str(len(request.headers))]) + "\n")
        file.writelines(f"{name}: {value}\n" for name, value in request.headers.items())
        file.writelines(f"{path}\n" for path in request.paths)
        file.flush()
        command = _command(port, file.name, connections, seconds)
        process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        output, _ = await process.communicate()
    load = Load(**json.loads(output.decode().splitlines()[-1]))
    if load.failures or not load.responses:
        what = f"{request.method} {request.paths[0]}"
        raise RuntimeError(f"{load.failures} of {load.responses} responses are failures: {what}")
    return load


def _command(port: int, file: str, connections: int, seconds: float) -> list[str]:
    if wrk := shutil.which("wrk"):
        limits = ["-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "30s"]
        return [wrk, *limits, "-s", str(SCRIPT), f"http://127.0.0.1:{port}/", "--", file]
    numbers = [str(port), file, str(connections), str(seconds)]
    return [sys.executable, "-m", "benchmarks.http.client", *numbers]
