"""`bin/new job base DeleteOldReports days:int` adds a job class, its handler, and its test."""

from collections.abc import Sequence

from dev.new import source
from dev.new.fields import Field, imports_of, parse_fields, placeholders
from dev.new.names import pascal_name
from dev.new.queues import DeclaredQueue, queue_called
from dev.new.render import render
from dev.new.tree import Tree

SCHEMAS, HANDLERS = "app/schemas/jobs.py", "app/workers/jobs.py"
RESERVED = {"queue", "max_tries", "timeout", "backoff", "final"}


def add_job(tree: Tree, queue_name: str, job: str, field_texts: Sequence[str]) -> list[str]:
    """Add a job to a queue. Return the next steps."""
    queue, name = queue_called(tree, queue_name), pascal_name(job, "the class of a job")
    fields = parse_fields(field_texts, reserved=RESERVED)
    tree.refuse_name(SCHEMAS, name.pascal)
    tree.refuse_name(HANDLERS, name.snake)

    values = {"name": name, "queue": queue, "fields": fields}
    tree.edit(SCHEMAS, _declare, queue, fields, render("job/class.py", **values))
    tree.edit(HANDLERS, _handle, render("job/handler.py", **values))
    tree.create(f"tests/workers/test_{name.snake}.py", render("job/test.py", **values))
    arguments = placeholders(fields)
    call, worker = f"{name.pascal}({arguments})", f"app/core/worker/{queue.name}_settings.py"
    return [
        f"Write its handler: {name.snake} in {HANDLERS}.",
        f"Enqueue it in a service: self.uow.enqueue({call})",
        f"Or run it by the clock: cron({call}, hour=4) in the crons of {worker}",
    ]


def _declare(text: str, queue: DeclaredQueue, fields: Sequence[Field], job: str) -> str:
    queue_import = f"from app.core.queue import {queue.name.upper()}"
    for statement in (queue_import, *imports_of(fields)):
        text = source.add_import(text, statement)
    return source.add_at_end(text, job)


def _handle(text: str, handler: str) -> str:
    return source.add_at_end(source.add_import(text, "from pydantic import JsonValue"), handler)
