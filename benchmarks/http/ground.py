"""The servers of a run, and their data: 10,000 users, of whom one has 100 items."""

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import Request as Call
from urllib.request import urlopen

import asyncpg
import jwt

from benchmarks.http.contenders import (
    BARE,
    EMAIL,
    OURS,
    PASSWORD,
    PLAIN,
    PREVIOUS,
    ROOT,
    SECRET,
    VISITOR,
    Contender,
    People,
    login_of,
    neighbor,
    service,
)
from dev.postgres import postgres
from dev.valkey import valkey

USERS, ITEMS, IDS = 10_000, 100, 500

FILL = f"""
INSERT INTO users (id, email, full_name, is_active, is_superuser)
SELECT gen_random_uuid(), 'stranger' || n || '@example.com', 'Stranger ' || n, true, false
FROM generate_series(1, {USERS - 1}) AS n;
INSERT INTO items (id, title, description, owner_id)
SELECT gen_random_uuid(), 'Item ' || n, 'What it is about', users.id
FROM users, generate_series(1, {ITEMS}) AS n WHERE email = '{EMAIL}';
UPDATE users SET email_verified_at = now() WHERE email IN ('{EMAIL}', '{VISITOR}');
"""  # noqa: S608  nothing in it comes from outside


@contextmanager
def servers(previous: Path | None) -> Iterator[dict[str, Contender]]:
    """Run PostgreSQL and Valkey as in production, and yield the contenders on them."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        database = stack.enter_context(postgres(folder / "postgres")).rpartition("/")[0]

        def checkout(name: str, where: Path) -> Contender:
            url = f"{database}/{name}"
            contender = service(name, where, url, stack.enter_context(valkey(folder / name)))
            asyncio.run(_create(f"{database}/postgres", name))
            subprocess.run(  # noqa: S603  ours
                [contender.python, "-m", "alembic", "upgrade", "head"],
                cwd=where,
                env=contender.environment,
                check=True,
                capture_output=True,
            )
            return contender

        ours = checkout(OURS, ROOT)
        own_url = ours.variables["DATABASE_URL"].replace("://", "+asyncpg://", 1)
        contenders = {
            OURS: ours,
            BARE: neighbor(BARE, own_url),
            PLAIN: neighbor(PLAIN, own_url),
        }
        if previous is not None:
            contenders[PREVIOUS] = checkout(PREVIOUS, previous.resolve())
        yield contenders


async def _create(server: str, database: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"CREATE DATABASE {database}")
    finally:
        await connection.close()


async def people_of(contender: Contender, port: int) -> People:
    """Fill the database of a running service, and log in."""
    api = f"http://127.0.0.1:{port}/api/v1"
    for email in (EMAIL, VISITOR):
        user = json.dumps({"email": email, "password": PASSWORD, "full_name": "Member"})
        _post(f"{api}/users/signup", user, "application/json")
    form = "application/x-www-form-urlencoded"
    member = _post(f"{api}/login/access-token", login_of(EMAIL), form)
    connection = await asyncpg.connect(contender.variables["DATABASE_URL"])
    try:
        await connection.execute(FILL)
        await connection.execute("ANALYZE")
        ids = f"SELECT id::text FROM users WHERE email <> '{EMAIL}' LIMIT {IDS}"  # noqa: S608
        users = [row[0] for row in await connection.fetch(ids)]
        items = [row[0] for row in await connection.fetch("SELECT id::text FROM items")]
    finally:
        await connection.close()
    return People(member["access_token"], member["access_token"], users, items)


async def promoted(contender: Contender, port: int, people: People) -> People:
    """Make a second user a superuser, who may read all users."""
    api = f"http://127.0.0.1:{port}/api/v1"
    user = json.dumps({"email": "root@example.com", "password": PASSWORD})
    _post(f"{api}/users/signup", user, "application/json")
    connection = await asyncpg.connect(contender.variables["DATABASE_URL"])
    try:
        await connection.execute(
            "UPDATE users SET is_superuser = true, email_verified_at = now() "
            "WHERE email = 'root@example.com'"
        )
    finally:
        await connection.close()
    form = "application/x-www-form-urlencoded"
    root = _post(f"{api}/login/access-token", login_of("root@example.com"), form)
    return People(people.member_token, root["access_token"], people.user_ids, people.item_ids)


async def people_beside(ours: Contender, people: People) -> People:
    """Return the same rows with a token for the small applications."""
    connection = await asyncpg.connect(ours.variables["DATABASE_URL"])
    try:
        member = await connection.fetchval("SELECT id::text FROM users WHERE email = $1", EMAIL)
    finally:
        await connection.close()
    token = jwt.encode({"sub": member}, SECRET, "HS256")
    return People(token, token, people.user_ids, people.item_ids)


def _post(url: str, body: str, content_type: str) -> dict[str, str]:
    call = Call(url, body.encode(), {"content-type": content_type})  # noqa: S310  our own server
    with urlopen(call) as response:  # noqa: S310
        answer: dict[str, str] = json.load(response)
    return answer
