"""`bin/new resource note text:str done:bool` adds a table, schemas, a service, and routes."""

from collections.abc import Iterator, Sequence

from sqlalchemy.orm import DeclarativeBase

from app.schemas.common import Changes
from dev.new import source
from dev.new.errors import InvalidArgument, NewError
from dev.new.fields import Field, parse_fields
from dev.new.migration import Migration
from dev.new.names import Name, plural_of, refuse_reserved_table, snake_name
from dev.new.render import render
from dev.new.tree import Tree

MODELS, ROUTERS = "app/models/__init__.py", "app/routes/api.py"
ACCESS, PEOPLE = "tests/routes/access.py", "tests/routes/people.py"
RESERVED = {
    "id",
    "owner_id",
    "created_at",
    "metadata",
    "registry",
    *dir(DeclarativeBase),
    *dir(Changes),
}

IMPORTED = {"base", "identified", "mapped", "foreign_key", "string", "text", "numeric", "decimal"}
IMPORTED |= {"scope", "not_found", "not_enough_permissions", "type_var"}
LOCAL = {"self", "data", "field", "value"}
"""Names in the generated models and services, which the name of the resource would hide."""

SCHEMAS = {"create", "update", "public"}
"""A constrained type is called `NoteTitle`, and these schemas `NoteCreate` and so on."""


def add_resource(
    tree: Tree, resource: str, field_texts: Sequence[str], *, plural: str | None
) -> list[str]:
    """Add a resource that belongs to users. Return the next steps."""
    name, names = _names(resource, plural)
    fields = parse_fields(field_texts, reserved=RESERVED | {name.snake})
    _refuse_schemas(name, fields)
    _refuse_existing(tree, name, names)
    migration = Migration.after_the_last(tree, names.words)

    values = {"name": name, "names": names, "fields": fields, "migration": migration}
    values["nullable"] = [field for field in fields if field.optional]
    tree.create(f"app/models/{name.snake}.py", render("resource/model.py", **values))
    tree.create(migration.file, render("resource/migration.py", **values))
    tree.create(f"app/schemas/{name.snake}.py", render("resource/schema.py", **values))
    tree.create(f"app/services/{name.snake}_service.py", render("resource/service.py", **values))
    tree.create(f"app/routes/{names.snake}.py", render("resource/routes.py", **values))
    tree.create(f"tests/routes/test_{names.snake}.py", render("resource/test.py", **values))
    tree.edit(MODELS, _export, name)
    tree.edit(ROUTERS, _include, names)
    tree.edit(ACCESS, source.add_to_dict, "ACCESS", *_access(name, names))
    tree.edit(PEOPLE, _own, name, fields)
    return [
        f"Read {migration.file}, then apply it: .venv/bin/alembic upgrade head",
        f"Check the limits of the fields in app/schemas/{name.snake}.py. They match the migration.",
        "Try it: bin/dev, then http://localhost:8000/docs",
    ]


def _names(singular: str, plural: str | None) -> tuple[Name, Name]:
    name = snake_name(singular, "the name of a resource")
    if singular in IMPORTED | LOCAL:
        raise InvalidArgument(
            f"{singular!r} cannot be the name of a resource: it would hide a name of its own code."
        )
    if plural is None and singular.endswith("s") and not singular.endswith(("ss", "us", "is")):
        raise InvalidArgument(
            f"{singular!r} looks like a plural: use the singular, or add --plural."
        )
    names = snake_name(plural or plural_of(singular), "the plural of a resource")
    if names == name:
        raise InvalidArgument(f"The plural of {singular!r} must differ from the singular.")
    refuse_reserved_table(names.snake)
    return name, names


def _refuse_schemas(name: Name, fields: Sequence[Field]) -> None:
    for field in fields:
        if field.name in SCHEMAS and field.type.constrained:
            raise InvalidArgument(
                f"{field.name!r} cannot be a field of this type: "
                f"{name.pascal}{field.pascal} is a schema of the resource."
            )


def _refuse_existing(tree: Tree, name: Name, names: Name) -> None:
    if names.snake in _tables(tree):
        raise NewError(f"The table {names.snake} already exists.")
    tree.refuse_name(MODELS, name.pascal)
    tree.refuse_name(ROUTERS, names.snake)


def _tables(tree: Tree) -> Iterator[str]:
    """Yield the tables that migrations have created."""
    for file in tree.files("alembic/versions/*.py"):
        for call in tree.inspect(file, source.calls_in, "op.create_table"):
            yield source.first_string(call)


def _export(text: str, name: Name) -> str:
    exported = f"{name.pascal} as {name.pascal}"
    return source.add_import(text, f"from app.models.{name.snake} import {exported}")


def _include(text: str, names: Name) -> str:
    text = source.add_import(text, f"from app.routes import {names.snake}")
    return source.add_to_sequence(text, "MODULES", names.snake)


def _access(name: Name, names: Name) -> Iterator[str]:
    tag = names.snake
    yield f'"{tag}-read_{names.snake}": ANY_USER'
    yield f'"{tag}-create_{name.snake}": (201, 201, 201)'
    yield from (f'"{tag}-{verb}_{name.snake}": OWN' for verb in ("read", "update", "delete"))


def _own(text: str, name: Name, fields: Sequence[Field]) -> str:
    required = [field for field in fields if not field.optional]
    for statement in (each for field in required for each in field.type.value_imports):
        text = source.add_import(text, statement)
    values = "".join(f"{field.name}={field.type.sample}, " for field in required)
    row = f"models.{name.pascal}({values}owner_id=owner.id)"
    return source.add_to_dict(text, "owned", f'"{name.snake}_id": {row}')
