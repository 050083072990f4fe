"""A client with little overhead, for machines without wrk."""

import asyncio
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import count, cycle
from pathlib import Path
from typing import cast

import uvloop

LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class Connection(asyncio.Protocol):
    """A connection that sends its next request after each response."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float], bad: list[int]) -> None:
        self._requests, self._latencies, self._bad = requests, latencies, bad
        self._received, self._sent_at = b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if found and length and len(body) >= int(length[1]):
            self._latencies.append(time.perf_counter() - self._sent_at)
            if not head.startswith(b"HTTP/1.1 2"):
                self._bad.append(int(head[9:12]))
            self._send()

    def _send(self) -> None:
        self._received, self._sent_at = b"", time.perf_counter()
        self.transport.write(next(self._requests))


def requests_in(file: Path) -> Iterator[bytes]:
    """Yield the requests of a file that load.py wrote, in turns."""
    method, body, number, *lines = file.read_text().splitlines()
    headers, paths = [*lines[: int(number)], "host: 127.0.0.1"], lines[int(number) :]
    if "{n}" in body:
        return (_request(method, paths[0], headers, body.replace("{n}", f"{n}")) for n in count())
    return cycle([_request(method, path, headers, body) for path in paths])


def _request(method: str, path: str, headers: Sequence[str], body: str) -> bytes:
    length = [f"content-length: {len(body.encode())}"] if body else []
    return "\r\n".join([f"{method} {path} HTTP/1.1", *headers, *length, "", body]).encode()


async def put_load(port: int, file: Path, connections: int, seconds: float) -> dict[str, float]:
    requests, latencies, bad = requests_in(file), list[float](), list[int]()
    loop = asyncio.get_running_loop()
    opened = []
    for _ in range(connections):
        _, connection = await loop.create_connection(
            lambda: Connection(requests, latencies, bad), "127.0.0.1", port
        )
        opened.append(connection)
    await asyncio.sleep(seconds)
    responses = len(latencies)
    for connection in opened:
        connection.transport.abort()
    ordered = sorted(latencies)
    return {
        "responses": responses,
        "failures": len(bad),
        "seconds": seconds,
        "p50": ordered[responses // 2] if ordered else 0,
        "p99": ordered[responses * 99 // 100] if ordered else 0,
    }


if __name__ == "__main__":
    port, file, connections, seconds = sys.argv[1:]
    outcome = put_load(int(port), Path(file), int(connections), float(seconds))
    print(json.dumps(uvloop.run(outcome)))
