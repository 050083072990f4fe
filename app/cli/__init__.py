"""The command line for operators: `python -m app queues`. Each module is one group of commands.

Exit codes: 0 means success. 1 means that something does not exist or is not possible, which a
sentence on stderr explains. 2 means that the command line is invalid.
"""

import argparse
from collections.abc import Sequence

from app.cli import crons, database, jobs, metrics, queues, secrets, users, workers

GROUPS = (queues, jobs, workers, crons, users, database, secrets, metrics)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default that of the process, and return the exit code.

    Raises SystemExit for an invalid command line or invalid settings.
    """
    parser = argparse.ArgumentParser(prog="python -m app", description="Operate the service.")
    parser.set_defaults(json=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in GROUPS:
        group.register(commands)
    parsed = parser.parse_args(arguments)
    code: int = parsed.run(parsed)
    return code
