"""A durable Valkey for one test, which can be stopped and started again."""

import asyncio
import os
import signal
from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Self
from unittest.mock import patch

import redis

from dev.processes import free_port
from dev.valkey import valkey


class RedisServer:
    """A server that runs inside `with`. Its `url` stays the same after a restart."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._folder = folder
        self._variables = variables
        self._port = free_port()
        self._stack = ExitStack()
        self.url = ""
        self.pid = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self) -> None:
        """Start it with the data of its predecessor, and return when it answers."""
        with self._environment():
            server = valkey(self._folder, port=self._port)
            self.url = self._stack.enter_context(server)
        with self.client() as client:
            self.pid = client.info("server")["process_id"]

    async def restart(self) -> None:
        await asyncio.to_thread(self.start)

    def client(self) -> "redis.Redis":
        return redis.Redis.from_url(self.url)

    async def kill(self) -> None:
        """Kill it as a failing machine would, even if it is frozen."""
        os.kill(self.pid, signal.SIGKILL)
        await asyncio.to_thread(self._stack.close)

    def stop(self) -> None:
        """Freeze it. It keeps its connections and does not answer."""
        os.kill(self.pid, signal.SIGSTOP)

    def forget_everything(self) -> None:
        with self.client() as client:
            client.flushall()

    def _environment(self) -> AbstractContextManager[object]:
        return patch.dict(os.environ, self._variables)
