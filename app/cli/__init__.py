"""What an operator types: `python -m app queues`, one module per group of commands.

Exit codes are 0: done, 1: what was asked for does not exist or cannot be done, which a sentence on
stderr explains, and 2: the command line was not understood.
"""

import argparse
from collections.abc import Sequence

from app.cli import jobs, queues, users, workers

GROUPS = (queues, jobs, workers, users)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line, by default that of the process, and return the exit code.

    Raises SystemExit where the command line or the settings cannot be understood.
    """
    parser = argparse.ArgumentParser(prog="python -m app", description="Operate the service.")
    parser.set_defaults(json=False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in GROUPS:
        group.register(commands)
    parsed = parser.parse_args(arguments)
    code: int = parsed.run(parsed)
    return code
