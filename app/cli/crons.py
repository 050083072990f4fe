"""`crons`: show the crons, and run one now."""

from app.cli.command import (
    ActionArguments,
    Arguments,
    Subparsers,
    add_action,
    add_command,
    print_result,
)
from app.cli.scope import open_operator_scope
from app.cli.tables import since, table
from app.core import control
from app.core.resources import Resources
from app.services.cron_service import CronService

HEADERS = ("CRON", "JOB", "QUEUE", "LAST", "NEXT", "SCHEDULE")


class CronArguments(ActionArguments):
    name: str


def register(commands: Subparsers) -> None:
    crons = add_command(commands, "crons", show, help="show the crons, which run on a schedule")
    actions = crons.add_subparsers(title="actions", metavar="ACTION")
    run_parser = add_action(actions, "run", run, help="enqueue the job of a cron now")
    run_parser.add_argument("name")


async def show(resources: Resources, arguments: Arguments) -> int:
    crons = await control.list_crons(resources.sessions, resources.queues)
    rows = [
        (
            cron.name,
            cron.job,
            cron.queue,
            since(cron.last_run) if cron.last_run else None,
            f"{cron.next_run:%Y-%m-%d %H:%M:%S}" if cron.next_run else None,
            cron.schedule or "no live worker has it",
        )
        for cron in crons
    ]
    text = table(HEADERS, rows, right=("LAST",)) if rows else "No live worker has a cron."
    return print_result(arguments, crons, text)


async def run(resources: Resources, arguments: CronArguments) -> int:
    async with open_operator_scope(resources, reason=arguments.reason) as scope:
        job_id = await CronService(scope, resources.sessions).run_now(arguments.name)
    return print_result(arguments, {"id": job_id}, f"Enqueued: {arguments.name} as job {job_id}.")
