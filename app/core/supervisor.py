"""Runs several copies of this process, and replaces each that ends."""

import argparse
import multiprocessing
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkProcess

import structlog

log = structlog.stdlib.get_logger(__name__)

FIRST_DELAY, MAX_DELAY = 1.0, 30.0
"""Seconds until a process that has ended is replaced. The delay doubles after each early end."""

STABLE_AFTER = 60.0
"""Seconds after which the next replacement has the first delay again."""

KILL_DELAY = 10.0
"""Seconds after the grace period, until a process that has not ended is killed."""

STOP_SIGNALS = {signal.SIGINT, signal.SIGTERM}
SIGNALS = {*STOP_SIGNALS, signal.SIGCHLD, signal.SIGALRM}

_forking = multiprocessing.get_context("fork")


def _do_nothing() -> None:
    pass


def add_processes_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--processes",
        type=_positive,
        default=1,
        metavar="N",
        help="the number of processes, under one supervisor (default: 1)",
    )


def supervise(
    work: Callable[[], None],
    processes: int,
    grace_period: float,
    *,
    on_stop: Callable[[], object] = _do_nothing,
) -> int:
    """Call a function in several processes until a signal stops them. Return the exit code.

    After a signal, `on_stop` is called in this process, and each of the others has `grace_period`
    seconds and a little more. Then it is killed.
    """
    kill_after = grace_period + KILL_DELAY
    return Supervisor(work, processes, kill_after=kill_after, on_stop=on_stop).run()


class Supervisor:
    """Keeps copies of this process running, which share the memory of its imports.

    A copy that has not ended `kill_after` seconds after a signal is killed, because its event loop
    is blocked. If it is a worker, other workers run its jobs when their leases expire.
    """

    def __init__(
        self,
        work: Callable[[], None],
        processes: int,
        *,
        kill_after: float,
        on_stop: Callable[[], object] = _do_nothing,
    ) -> None:
        self._work = work
        self._on_stop = on_stop
        self._places = [_Place() for _ in range(processes)]
        self._kill_after = kill_after
        self._stopping = False
        self._exit_codes: list[int] = []
        """Those of the processes that have ended since the signal."""
        self._lifeline, self._own_end = os.pipe()

    def run(self) -> int:
        """Run until a signal. Return 0 if all processes have ended successfully, or else 1."""
        log.info("supervisor.started", processes=len(self._places), pid=os.getpid())
        signals = _receive_signals()
        while self._running or not self._stopping:
            self._start_missing_processes()
            if select.select([signals], [], [], self._time_to_next_start())[0]:
                for number in signals.recv(1_000):
                    self._react_to(signal.Signals(number))
            self._notice_ended_processes()
        log.info("supervisor.stopped", exit_codes=self._exit_codes)
        # The signal kills a process that was still starting, and has not worked yet.
        return int(any(-code not in {0, *STOP_SIGNALS} for code in self._exit_codes))

    @property
    def _running(self) -> Sequence[ForkProcess]:
        return [place.process for place in self._places if place.process]

    def _start_missing_processes(self) -> None:
        for place in self._places:
            if not self._stopping and not place.process and place.start_at <= time.monotonic():
                self._fill(place)

    def _fill(self, place: "_Place") -> None:
        try:
            place.fill(self._start)
        except OSError as error:  # such as no memory, or too many processes
            delay = place.clear()
            log.error("supervisor.process_not_started", error=str(error), restart_in=delay)  # noqa: TRY400

    def _time_to_next_start(self) -> float | None:
        """Return the seconds, or None if no process is missing."""
        moments = [place.start_at for place in self._places if not place.process]
        if self._stopping or not moments:
            return None
        return max(0.0, min(moments) - time.monotonic())

    def _start(self) -> ForkProcess:
        process = _forking.Process(target=self._be_copy)
        # Until a copy has forgotten the handlers, it would report its signals to the supervisor.
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        log.info("supervisor.process_started", process_pid=process.pid)
        return process

    def _be_copy(self) -> None:
        """Do the work of a copy."""
        os.setsid()  # Ctrl-C signals the whole group. In its own session, a copy gets it only once.
        os.close(self._own_end)
        threading.Thread(target=self._stop_with_supervisor, name="supervisor", daemon=True).start()
        _forget_signals()
        self._work()

    def _stop_with_supervisor(self) -> None:
        os.read(self._lifeline, 1)  # returns when the supervisor, which has the other end, is gone
        os.kill(os.getpid(), signal.SIGTERM)

    def _react_to(self, number: signal.Signals) -> None:
        """Forward a signal. After a second one, the copies end without waiting for their work."""
        if number in STOP_SIGNALS:
            if not self._stopping:
                signal.setitimer(signal.ITIMER_REAL, self._kill_after)
                self._on_stop()
            self._stopping = True
            self._send(number)
        elif number == signal.SIGALRM:
            for process in self._running:
                log.error("supervisor.process_killed", process_pid=process.pid)
            self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        for process in self._running:
            if process.pid and process.exitcode is None:
                os.kill(process.pid, number)

    def _notice_ended_processes(self) -> None:
        for place in self._places:
            code = place.process.exitcode if place.process else None
            if code is None:
                continue
            delay = place.clear()
            if self._stopping:
                self._exit_codes.append(code)
            else:
                log.error("supervisor.process_ended", exit_code=code, restart_in=delay)


class _Place:
    """Has one process after another."""

    def __init__(self) -> None:
        self.process: ForkProcess | None = None
        self.start_at = 0.0
        self._started_at = 0.0
        self._next_delay = FIRST_DELAY

    def fill(self, start: Callable[[], ForkProcess]) -> None:
        self._started_at = time.monotonic()
        self.process = start()

    def clear(self) -> float:
        """Remove the process, if any. Return the seconds until the next must start."""
        self.process = None
        is_stable = time.monotonic() - self._started_at > STABLE_AFTER
        delay = FIRST_DELAY if is_stable else self._next_delay
        self.start_at = time.monotonic() + delay
        self._next_delay = min(2 * delay, MAX_DELAY)
        return delay


def _receive_signals() -> socket.socket:
    """Return a socket that receives the number of each signal."""
    received, written = socket.socketpair()
    written.setblocking(False)  # as Python requires
    signal.set_wakeup_fd(written.detach())
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)
    return received


def _forget_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number
