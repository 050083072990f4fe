"""`bin/new email order_shipped` adds a job, a function, two templates, and a test."""

from collections.abc import Sequence

from dev.new import source
from dev.new.errors import InvalidArgument
from dev.new.fields import Field, imports_of, parse_fields, placeholders
from dev.new.inventory import list_in
from dev.new.job import RESERVED as RESERVED_BY_JOBS
from dev.new.job import SCHEMAS
from dev.new.names import snake_name
from dev.new.render import render
from dev.new.tree import Tree

RESERVED = RESERVED_BY_JOBS | {
    "user_id",
    "recipient",
    "subject",
    "template",
    "name",
    "email",
    "link",
}
CATALOG = "app/services/emails/catalog.py"
TEMPLATES = "app/templates/email"


def add_email(tree: Tree, email: str, field_texts: Sequence[str]) -> list[str]:
    """Add an email to a user. Return the next steps."""
    name = snake_name(email, "the name of an email")
    if name.snake.startswith("send_"):
        raise InvalidArgument(f"Leave out the verb: call it {name.snake.removeprefix('send_')}.")
    fields = parse_fields(field_texts, reserved=RESERVED)
    tree.refuse_name(CATALOG, name.snake)
    tree.refuse_name(SCHEMAS, f"Send{name.pascal}")

    values = {"name": name, "fields": fields}
    tree.edit(SCHEMAS, _declare, fields, render("email/class.py", **values))
    tree.edit(CATALOG, source.add_at_end, render("email/function.py", **values))
    for form in ("txt", "html"):
        tree.create(f"{TEMPLATES}/{name.snake}.{form}", render(f"email/{form}", **values))
    tree.create(f"tests/services/test_{name.snake}_email.py", render("email/test.py", **values))
    list_in(tree, "Emails", f"`{name.snake}`", f"`Send{name.pascal}`", name.sentence)
    arguments = "".join(f", {each}" for each in [placeholders(fields)] if each)
    return [
        f"Write its text: {TEMPLATES}/{name.snake}.txt and .html.",
        f"Write its subject and its link: {name.snake} in {CATALOG}.",
        f"Send it in a service: self.uow.enqueue(Send{name.pascal}(user_id=user.id{arguments}))",
    ]


def _declare(text: str, fields: Sequence[Field], job: str) -> str:
    for statement in imports_of(fields):
        text = source.add_import(text, statement)
    return source.add_at_end(text, job)
