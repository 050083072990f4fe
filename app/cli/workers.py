"""`workers`: show the live workers and their jobs."""

from app.cli.command import Arguments, Subparsers, add_command, print_result
from app.cli.tables import mebibytes, since, table
from app.core import control
from app.core.control import WorkerRecord
from app.core.resources import Resources

WORKERS = (
    "QUEUE",
    "HOST",
    "PID",
    "VERSION",
    "SINCE",
    "MEMORY",
    "RUNNING",
    "DONE",
    "RETRIED",
    "FAILED",
)
JOBS = ("QUEUE", "PID", "JOB", "FOR", "KIND")


def register(commands: Subparsers) -> None:
    add_command(commands, "workers", show, help="show the live workers and their jobs")


async def show(resources: Resources, arguments: Arguments) -> int:
    workers = await control.all_live_workers(resources.queues)
    return print_result(arguments, workers, "\n\n".join(_tables(workers)))


def _tables(workers: list[WorkerRecord]) -> list[str]:
    if not workers:
        return ["No worker is alive."]
    rows = [
        (
            worker.queue,
            worker.host,
            worker.pid,
            worker.version,
            since(worker.started),
            mebibytes(worker.rss),
            f"{len(worker.running)}/{worker.concurrency}",
            worker.succeeded,
            worker.retried,
            worker.failed,
        )
        for worker in workers
    ]
    running = [
        (worker.queue, worker.pid, job.id, since(job.started), job.name)
        for worker in workers
        for job in worker.running
    ]
    tables = [table(WORKERS, rows, right=WORKERS[2:])]
    return [*tables, table(JOBS, running, right=("PID", "FOR"))] if running else tables
