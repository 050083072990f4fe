"""Several processes of one worker, as `python run_base_worker.py --processes N` starts them."""

import os
from datetime import UTC, datetime
from signal import SIGKILL, SIGTERM, SIGUSR1

import pytest

from app.core.config import Settings
from app.core.control.workers import WorkerRecord, count_live_workers, live_workers
from app.core.job_store.record import JobState
from app.core.queue import BASE, QueuePools
from tests.core.worker.engine import slow_worker
from tests.records import find_job
from tests.support.processes import Process, run_process
from tests.support.waiting import wait_until

TWO_PROCESSES = ("-m", "tests.core.worker.engine.slow_worker", "--processes", "2")
SLEEPERS = ("-m", "tests.core.worker.engine.supervised_sleepers")


async def test_one_command_runs_several_workers_which_finish_their_jobs_when_it_is_stopped(
    settings: Settings, queues: QueuePools
) -> None:
    async with run_process(settings, *TWO_PROCESSES) as supervisor:
        await wait_until(lambda: are_alive(queues, workers=2))
        job_ids = [await queues.send(slow_worker.Knit()) for _ in range(2)]
        for _ in job_ids:
            await supervisor.wait_for_line("knitting")
        supervisor.signal(SIGTERM)
        await supervisor.wait_for_line("worker.stopping")
        await queues[BASE].set(slow_worker.WOOL, "here it is")
        assert await supervisor.wait_for_exit() == 0

    records = [await find_job(queues, job_id) for job_id in job_ids]
    assert [record and record.state for record in records] == [JobState.SUCCEEDED] * 2
    assert await are_alive(queues, workers=0)


async def test_the_workers_share_the_imports_of_their_supervisor(settings: Settings) -> None:
    async with run_process(settings, *SLEEPERS) as supervisor:
        for _ in range(2):
            await sleeping_pid(supervisor)
    assert supervisor.output.count("imported") == 1


async def test_a_worker_that_crashes_is_replaced(settings: Settings) -> None:
    async with run_process(settings, *SLEEPERS) as supervisor:
        first, second = await sleeping_pid(supervisor), await sleeping_pid(supervisor)

        os.kill(first, SIGKILL)

        await supervisor.wait_for_line("supervisor.process_ended")
        assert await sleeping_pid(supervisor) not in {first, second}
        supervisor.signal(SIGTERM)
        assert await supervisor.wait_for_exit() == 0


async def test_a_process_that_the_system_does_not_start_is_started_later(
    settings: Settings,
) -> None:
    command = ("-m", "tests.core.worker.engine.starved_supervisor")
    async with run_process(settings, *command) as supervisor:
        await supervisor.wait_for_line("supervisor.process_not_started")
        supervisor.signal(SIGUSR1)
        await supervisor.wait_for_line("supervisor.process_started")

        supervisor.signal(SIGTERM)

        assert await supervisor.wait_for_exit() == 0


async def test_operators_see_when_a_worker_was_replaced(
    settings: Settings, queues: QueuePools
) -> None:
    async with run_process(settings, *TWO_PROCESSES):
        await wait_until(lambda: are_alive(queues, workers=2))
        earlier = {worker.id: worker for worker in await live_workers(queues, BASE)}

        async def replacements() -> list[WorkerRecord]:
            return [each for each in await live_workers(queues, BASE) if each.id not in earlier]

        async def is_replaced() -> bool:
            return bool(await replacements())

        killed, killed_at = next(iter(earlier.values())), datetime.now(UTC)
        os.kill(killed.pid, SIGKILL)
        await wait_until(is_replaced)
        [replacement] = await replacements()

    assert replacement.started > killed_at > killed.started


async def test_a_crash_is_not_a_failure_of_a_later_stop(settings: Settings) -> None:
    async with run_process(settings, *SLEEPERS) as supervisor:
        first, _ = await sleeping_pid(supervisor), await sleeping_pid(supervisor)
        os.kill(first, SIGKILL)
        await supervisor.wait_for_line("supervisor.process_ended")

        supervisor.signal(SIGTERM)  # before the replacement starts, a second later

        assert await supervisor.wait_for_exit() == 0


async def test_the_workers_stop_when_their_supervisor_is_killed(
    settings: Settings, queues: QueuePools
) -> None:
    async with run_process(settings, *TWO_PROCESSES) as supervisor:
        for _ in range(2):
            await supervisor.wait_for_line("worker.started")

        supervisor.signal(SIGKILL)

        await wait_until(lambda: are_alive(queues, workers=0))


async def test_a_worker_that_ignores_its_supervisor_is_killed(
    settings: Settings,
) -> None:
    command = ("-m", "tests.core.worker.engine.stubborn_worker")
    async with run_process(settings, *command) as supervisor:
        for _ in range(2):
            await supervisor.wait_for_line("deaf")

        supervisor.signal(SIGTERM)

        assert await supervisor.wait_for_exit() == 1
    assert supervisor.output.count("supervisor.process_killed") == 2


@pytest.mark.parametrize("number", ["0", "many"])
async def test_an_invalid_number_of_processes_is_rejected(settings: Settings, number: str) -> None:
    command = ("run_base_worker.py", "--processes", number)
    async with run_process(settings, *command) as worker:
        assert await worker.wait_for_exit() == 2
    assert "--processes" in worker.output


async def are_alive(queues: QueuePools, *, workers: int) -> bool:
    return await count_live_workers(queues, BASE) == workers


async def sleeping_pid(supervisor: Process) -> int:
    return int((await supervisor.wait_for_line("asleep")).partition("asleep: ")[2])
