"""Runs several processes of one worker, and starts a new one for each that ends."""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

log = structlog.stdlib.get_logger("app.worker")

SUPERVISED = "WORKER_IS_SUPERVISED"
"""The variable by which a process knows that it must not start others."""

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds until a process that has ended is replaced. The pause doubles while they end early."""

STABLE_AFTER = 60.0
"""Seconds after which a process counts as having started well."""

PATIENCE = 10.0
"""Seconds beyond the grace period of jobs after which a process that does not end is killed."""


def is_supervised() -> bool:
    return SUPERVISED in os.environ


def supervise(processes: int, grace_period: float) -> int:
    """Run this program in several processes until a signal ends them; return the exit code."""
    command = [sys.executable, *sys.orig_argv[1:]]
    return asyncio.run(Supervisor(command, processes, grace_period + PATIENCE).run())


def watch_supervisor(on_end: Callable[[], object]) -> None:
    """Call a function, in a thread, when the supervisor ends: it holds the other end of stdin."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)
        on_end()

    threading.Thread(target=wait, name="supervisor", daemon=True).start()


class Supervisor:
    """Keeps a number of processes running. Each has its own heartbeat and its own leases.

    A process that has not ended `patience` seconds after a signal is killed: its event loop is
    blocked. Its jobs go on elsewhere when their leases end.
    """

    def __init__(self, command: Sequence[str], processes: int, patience: float) -> None:
        self._command = command
        self._processes = processes
        self._patience = patience
        self._running: set[asyncio.subprocess.Process] = set()
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Return 0 when all processes have ended well after a signal, 1 otherwise."""
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows
                asyncio.get_running_loop().add_signal_handler(number, self._stop, number)
        log.info("supervisor.started", processes=self._processes, pid=os.getpid())
        codes = await asyncio.gather(*(self._keep_running() for _ in range(self._processes)))
        log.info("supervisor.stopped", exit_codes=codes)
        # A process that was still starting ends by the signal itself. It has begun no job.
        return int(any(code not in {0, -signal.SIGINT, -signal.SIGTERM} for code in codes))

    def _stop(self, number: signal.Signals) -> None:
        """Pass a signal on. A second one ends the wait of the workers for their jobs."""
        if not self._stopping.is_set():
            asyncio.get_running_loop().call_later(self._patience, self._kill)
        self._stopping.set()
        self._send(number)

    def _kill(self) -> None:
        """End the processes that have not ended by themselves."""
        for process in self._running:
            log.error("supervisor.process_killed", worker_pid=process.pid)
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        for process in self._running:
            with suppress(ProcessLookupError):  # it has just ended
                process.send_signal(number)

    async def _keep_running(self) -> int:
        """Replace a process until the end, and return the exit code of the last one."""
        pause = FIRST_PAUSE
        while True:
            started = time.monotonic()
            code = await self._run_once()
            if self._stopping.is_set():
                return code
            if time.monotonic() - started > STABLE_AFTER:
                pause = FIRST_PAUSE
            log.error("supervisor.process_ended", exit_code=code, restart_in=pause)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
                return 0
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _run_once(self) -> int:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            env={**os.environ, SUPERVISED: "1"},
            stdin=asyncio.subprocess.PIPE,
            # Ctrl-C reaches a whole group. The supervisor passes it on, and only once.
            start_new_session=True,
        )
        self._running.add(process)
        log.info("supervisor.process_started", worker_pid=process.pid)
        if self._stopping.is_set():
            process.terminate()
        try:
            return await process.wait()
        finally:
            self._running.discard(process)
