"""`python -m benchmarks.telemetry` measures the CPU time of traces per request.

One process records no traces, one records 5 % of the requests, and one records all of them. They
take turns in short batches. Each batch is compared with its neighbor, so that other work affects
both. The collector runs in another process.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from dev.postgres import postgres
from dev.trace_collector import TraceCollector
from dev.valkey import valkey

ROOT = Path(__file__).parents[2]
SHARES = {"off": "", "5 %": "0.05", "all": "1"}
BAR = 1.15
"""The allowed cost of a request with 5 % of the traces, relative to a request without traces."""

ADA = {"email": "ada@example.com", "password": "a fresh battery staple"}
LOGIN = "username=ada%40example.com&password=a+fresh+battery+staple"
FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}

Request = Mapping[str, object]


class Process:
    """A process that measures batches."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.telemetry.process"],
            cwd=ROOT,
            env=os.environ | variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # the log lines, whose cost counts, too
            text=True,
        )

    def send(self, request: Request, number: int) -> tuple[str, float]:
        """Return the last response and the CPU time of one request, in microseconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([request, number]) + "\n")
        self._process.stdin.flush()
        status, body, seconds = json.loads(self._process.stdout.readline())
        if status >= 400:
            raise SystemExit(f"{request} is answered with {status}: {body}")
        return body, seconds / number * 1e6

    def close(self) -> None:
        """End the process, which exports its last spans."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@contextmanager
def processes() -> Iterator[Mapping[str, Process]]:
    """Run a process for each share, on separate servers."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        collector = stack.enter_context(TraceCollector().running())
        many = "1000000,1000000,1000000"
        variables = {
            "ENVIRONMENT": "test",
            "LOG_LEVEL": "info",
            "PUBLIC_URL": "http://127.0.0.1",
            "ACCESS_TOKEN_LIFETIME": "86400",
            "THROTTLE_LOGINS": many,
            "THROTTLE_SIGNUPS": many,
            "THROTTLE_RECOVERIES": many,
            "DATABASE_URL": stack.enter_context(postgres(folder / "postgres")),
            "REDIS_URL": stack.enter_context(valkey(folder / "valkey")),
        }
        migrate = [sys.executable, "-m", "alembic", "upgrade", "head"]
        subprocess.run(  # noqa: S603  ours
            migrate, cwd=ROOT, env=os.environ | variables, check=True, capture_output=True
        )
        found = {}
        for name, share in SHARES.items():
            endpoint = collector.endpoint if share else ""
            tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_TRACES_SAMPLER_ARG": share}
            found[name] = Process(variables | tracing)
            stack.callback(found[name].close)
        yield found


def requests_of(process: Process) -> Mapping[str, Request]:
    """Sign a user up, and return requests with a read, with a transaction, and with a job."""
    api = "/api/v1"
    signup = {"method": "POST", "path": f"{api}/users/signup", "headers": JSON}
    process.send({**signup, "body": json.dumps(ADA)}, 1)
    login = {"method": "POST", "path": f"{api}/login/access-token", "headers": FORM}
    token = json.loads(process.send({**login, "body": LOGIN}, 1)[0])["access_token"]
    user = {"authorization": f"Bearer {token}"}
    item = json.dumps({"title": "A title"})
    address = f"{api}/verify-email/{ADA['email']}"
    return {
        "own user": {"method": "GET", "path": f"{api}/users/me", "headers": user},
        "create an item": {
            "method": "POST",
            "path": f"{api}/items/",
            "headers": user | JSON,
            "body": item,
        },
        "enqueue an email": {"method": "POST", "path": address, "headers": {}},
    }


def main() -> int:
    """Print a table. Return 1 if a request exceeds its target."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telemetry", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=200, help="requests in one batch")
    options = parser.parse_args()
    code = 0
    with processes() as served:
        print(f"{'CPU time of a request':<24}{'off':>10}{'5 %':>10}{'all':>10}{'5 % / off':>12}")
        for name, request in requests_of(served["off"]).items():
            values: dict[str, list[float]] = {each: [] for each in served}
            for _ in range(options.rounds):
                for each, process in served.items():
                    values[each].append(process.send(request, options.batch)[1])
            ratio = statistics.median(
                on / off for on, off in zip(values["5 %"], values["off"], strict=True)
            )
            cells = "".join(f"{statistics.median(each):>7.0f} µs" for each in values.values())
            print(f"{name:<24}{cells}{ratio:>12.3f}")
            code |= ratio > BAR
    return code


if __name__ == "__main__":
    sys.exit(main())
