"""The compared releases: this checkout and an earlier one, each with its own database."""

import asyncio
import os
import sys
from pathlib import Path

import asyncpg

HERE = Path(__file__).parents[1]


def chosen(against: Path | None) -> dict[str, Path]:
    """Return the compared checkouts by label."""
    return {"ours": HERE} | ({"earlier": against.resolve()} if against else {})


def python(checkout: Path) -> str:
    """Return the Python of a checkout, because an earlier release may need other packages."""
    own = checkout / ".venv/bin/python"
    if checkout == HERE:
        return sys.executable
    if not own.exists():
        raise FileNotFoundError(f"{own} is missing: run {checkout}/bin/check, which installs it")
    return str(own)


def environment(checkout: Path, database_url: str, redis_url: str) -> dict[str, str]:
    """Return the variables of a checkout's processes."""
    return os.environ | {
        "PYTHONPATH": str(checkout),
        "ENVIRONMENT": "test",
        "LOG_LEVEL": "error",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
    }


async def create_database(server: str, name: str) -> str:
    """Create a database on the same server, and return its URL."""
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    return f"{server.rpartition('/')[0]}/{name}"


async def migrate(checkout: Path, environment: dict[str, str]) -> None:
    """Apply the migrations of the checkout."""
    command = ("-m", "alembic", "upgrade", "head")
    migration = await asyncio.create_subprocess_exec(
        python(checkout), *command, cwd=checkout, env=environment
    )
    if await migration.wait():
        raise RuntimeError(f"the migrations of {checkout} failed")
