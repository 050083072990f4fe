"""The queues of a project."""

import ast
from dataclasses import dataclass

from dev.new.errors import InvalidArgument
from dev.new.source import AnchorNotFound, calls_in
from dev.new.tree import Tree

FILE = "app/core/queue.py"


@dataclass(frozen=True, slots=True)
class DeclaredQueue:
    """A queue as `Queue("email", redis_db=2, concurrency=50)` declares it."""

    name: str
    redis_db: int


def declared_queues(tree: Tree) -> list[DeclaredQueue]:
    """Return the queues in the order of their declarations."""
    return tree.inspect(FILE, lambda text: [_queue(call) for call in calls_in(text, "Queue")])


def queue_called(tree: Tree, name: str) -> DeclaredQueue:
    """Return a queue. Raise InvalidArgument if it does not exist."""
    queues = {queue.name: queue for queue in declared_queues(tree)}
    if name not in queues:
        raise InvalidArgument(
            f"There is no queue {name!r}. Choose one of {', '.join(queues)}, or add it first."
        )
    return queues[name]


def _queue(call: ast.Call) -> DeclaredQueue:
    options = {keyword.arg: keyword.value for keyword in call.keywords}
    match call.args, options.get("redis_db"):
        case [ast.Constant(value=str(name))], ast.Constant(value=int(redis_db)):
            return DeclaredQueue(name, redis_db)
    raise AnchorNotFound("Queue(name, redis_db=number, …)")
