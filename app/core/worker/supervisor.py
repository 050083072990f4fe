"""Runs several processes of one worker, and restarts each that ends."""

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
"""The environment variable of supervised processes, which must not start others."""

FIRST_DELAY, MAX_DELAY = 1.0, 30.0
"""Seconds until a process that has ended is restarted. The delay doubles after each early end."""

STABLE_AFTER = 60.0
"""Seconds after which the next restart has the first delay again."""

KILL_DELAY = 10.0
"""Seconds after the grace period of jobs, until a process that has not ended is killed."""


def is_supervised() -> bool:
    return SUPERVISED in os.environ


def supervise(processes: int, grace_period: float) -> int:
    """Run this program in several processes until a signal stops them. Return the exit code."""
    command = [sys.executable, *sys.orig_argv[1:]]
    return asyncio.run(Supervisor(command, processes, grace_period + KILL_DELAY).run())


def watch_supervisor(on_end: Callable[[], object]) -> None:
    """Call a function, in a thread, when the supervisor ends, which closes this process's stdin."""

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)
        on_end()

    threading.Thread(target=wait, name="supervisor", daemon=True).start()


class Supervisor:
    """Keeps a number of processes running. Each has its own heartbeat and its own leases.

    A process that has not ended `kill_after` seconds after a signal is killed, because its event
    loop is blocked. Other workers run its jobs when their leases expire.
    """

    def __init__(self, command: Sequence[str], processes: int, kill_after: float) -> None:
        self._command = command
        self._processes = processes
        self._kill_after = kill_after
        self._running: set[asyncio.subprocess.Process] = set()
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Run until a signal. Return 0 if all processes have ended successfully, or else 1."""
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows
                asyncio.get_running_loop().add_signal_handler(number, self._stop, number)
        log.info("supervisor.started", processes=self._processes, pid=os.getpid())
        codes = await asyncio.gather(*(self._keep_running() for _ in range(self._processes)))
        log.info("supervisor.stopped", exit_codes=codes)
        # The signal kills a process that was still starting, and has not run any job.
        return int(any(code not in {0, -signal.SIGINT, -signal.SIGTERM} for code in codes))

    def _stop(self, number: signal.Signals) -> None:
        """Forward a signal. After a second one, the workers no longer wait for their jobs."""
        if not self._stopping.is_set():
            asyncio.get_running_loop().call_later(self._kill_after, self._kill)
        self._stopping.set()
        self._send(number)

    def _kill(self) -> None:
        """Kill the processes that have not ended by themselves."""
        for process in self._running:
            log.error("supervisor.process_killed", worker_pid=process.pid)
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        for process in self._running:
            with suppress(ProcessLookupError):  # it has just ended
                process.send_signal(number)

    async def _keep_running(self) -> int:
        """Restart a process until the supervisor stops. Return the exit code of the last one."""
        delay = FIRST_DELAY
        while True:
            started = time.monotonic()
            code = await self._run_once()
            if self._stopping.is_set():
                return code
            if time.monotonic() - started > STABLE_AFTER:
                delay = FIRST_DELAY
            log.error("supervisor.process_ended", exit_code=code, restart_in=delay)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
                return 0
            delay = min(2 * delay, MAX_DELAY)

    async def _run_once(self) -> int:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            env={**os.environ, SUPERVISED: "1"},
            stdin=asyncio.subprocess.PIPE,
            # Ctrl-C signals the whole group. In its own session, a process gets it only once.
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
