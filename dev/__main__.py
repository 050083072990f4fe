"""`bin/dev` runs the whole service on this machine, with the servers that it needs."""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from dev.console import Console
from dev.folder import FolderInUseError
from dev.server import StartError
from dev.up import up

ROOT = Path(__file__).parents[1]
HELP = """\
Run the whole service on this machine: PostgreSQL, Valkey (Redis), a mail catcher, the
migrations, the API with reload, and one worker per run_*_worker.py. Ctrl-C stops it.

If DATABASE_URL, REDIS_URL, or SMTP_HOST is set in the environment or in .env, bin/dev uses that
server and does not start its own. It keeps its data in .dev/. While it runs, .dev/env has the
addresses of its servers, so `.venv/bin/alembic current` works in a second terminal.
"""
VARIABLES = """\
environment variables:
  PORT        the port of the API, 8000 by default; caught emails are on the next port if it is free
  NO_COLOR    turns colors off
"""


class Arguments(argparse.Namespace):
    """The parsed command line."""

    fresh: bool
    observe: bool


def main() -> int:
    """Return the exit code: 0 after a requested stop, 1 if the service cannot start."""
    parser = argparse.ArgumentParser(
        prog="bin/dev",
        description=HELP,
        epilog=VARIABLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--fresh", action="store_true", help="delete the data in .dev/ first")
    parser.add_argument("--observe", action="store_true", help="show traces, and serve metrics")
    arguments = parser.parse_args(namespace=Arguments())
    port = os.environ.get("PORT") or "8000"
    if not port.isdecimal() or int(port) not in range(1, 65_535):
        parser.error(f"PORT is {port!r}, but a port is a number from 1 to 65534")
    os.chdir(ROOT)
    console = Console()
    try:
        asyncio.run(
            up(
                ROOT,
                console,
                fresh=arguments.fresh,
                port=int(port),
                observe=arguments.observe,
            )
        )
    except (StartError, FolderInUseError) as error:
        console.warn(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
