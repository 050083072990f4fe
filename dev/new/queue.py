"""`bin/new queue media` adds a queue with its Redis database, its worker, and its container."""

from collections.abc import Sequence
from itertools import count

from dev.new import compose, source
from dev.new.errors import InvalidArgument, NewError
from dev.new.inventory import FILE as INVENTORY
from dev.new.inventory import list_in
from dev.new.names import Name, snake_name
from dev.new.queues import FILE, DeclaredQueue, declared_queues
from dev.new.render import render
from dev.new.tree import Tree

PURPOSE = "its own kind of work"

REDIS_DATABASES = 16
"""The default of Redis. Number 0 is the database of REDIS_URL itself."""


def add_queue(tree: Tree, queue: str, *, concurrency: int, redis_db: int | None) -> list[str]:
    """Add a queue. Return the next steps."""
    name = snake_name(queue, "the name of a queue")
    queues = declared_queues(tree)
    if name.snake in {queue.name for queue in queues}:
        raise NewError(f"The queue {name.snake} already exists.")
    tree.refuse_name(FILE, name.constant)
    database = _free_database(redis_db, queues)
    if concurrency < 1:
        raise InvalidArgument("A worker must run at least one job: --concurrency 1 or more.")

    tree.edit(FILE, _declare, name, database, concurrency)
    tree.create(f"app/core/worker/{name.snake}_settings.py", render("queue/settings.py", name=name))
    tree.create(f"run_{name.snake}_worker.py", render("queue/run.py", name=name))
    tree.edit("docker-compose.yml", compose.add_worker, render("queue/compose.yml", name=name))
    tree.create(f"tests/workers/test_{name.snake}_queue.py", render("queue/test.py", name=name))
    list_in(tree, "Queues", f"`{name.snake}`", str(database), str(concurrency), PURPOSE)
    return [
        f"Give it a job: bin/new job {name.snake} DrawAvatar user_id:uuid",
        f"Describe its work in {INVENTORY}.",
        "Start its worker: docker compose up -d --build --wait. bin/dev has already started it.",
    ]


def _free_database(wanted: int | None, queues: Sequence[DeclaredQueue]) -> int:
    taken = {0: "REDIS_URL"} | {queue.redis_db: f"the queue {queue.name}" for queue in queues}
    if wanted is None:
        wanted = next(number for number in count(1) if number not in taken)
        if wanted >= REDIS_DATABASES:
            raise NewError(
                f"All {REDIS_DATABASES} databases of Redis are taken. Configure more, then add "
                f"--redis-db {wanted}."
            )
    if wanted in taken:
        raise InvalidArgument(f"The Redis database {wanted} belongs to {taken[wanted]}.")
    if wanted < 0:
        raise InvalidArgument("The number of the Redis database must be at least 1.")
    return wanted


def _declare(text: str, name: Name, database: int, concurrency: int) -> str:
    queue = f'Queue("{name.snake}", redis_db={database}, concurrency={concurrency})'
    text = source.add_before(text, "QUEUES", f"{name.constant} = {queue}")
    return source.add_to_sequence(text, "QUEUES", name.constant)
