"""The page of settings: types and limits from `Settings`, meanings from `.env.example`."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import JsonValue, TypeAdapter

from app.core.config import Settings
from dev.docs.markdown import code, table

SETTING = re.compile(r"(?:# ?)?([A-Z][A-Z_]*(?:<NAME>[A-Z_]+)?)=(.*)")
INTRODUCTION = """\
# Settings

`.venv/bin/python -m dev.docs` generates this page from `Settings` in `app/core/config.py` and from
`.env.example`. Run it after you change either.

Only `Settings` reads the environment. It looks for a value in the environment, then in
`.env`, then in `.dev/env`, which `bin/dev` writes while its servers run. An empty value counts as
not set. Durations are in seconds. [Deployment](deployment.md#settings-in-production) lists what
production requires.
"""

TYPES = {
    "array": "list",
    "boolean": "`true`, `false`",
    "integer": "integer",
    "number": "number",
    "object": "JSON",
    "string": "text",
}
FORMATS = {
    "email": "email address",
    "name-email": "email address",
    "password": "secret",
    "uri": "URL",
}
CODE = re.compile(
    r"""
    \bbin/\w+                                   # a command of the project
    | python\ -c\ "[^"]*"                        # a command
    | \{".*\}+                                   # JSON
    | (?<!\w)[A-Z]+_[A-Z_]+(?:\ \+\ /\S+\w)?   # a setting, or an address that starts with one
    | [\w+]+://(?:\S*[\w/}])?                    # an address, or how one starts
    | (?<!\w)(?:docs)?/[a-z]\S*\w | \*\.[a-z.]+ | sslmode= | <NAME>
    """,
    re.VERBOSE,
)

Schema = Mapping[str, JsonValue]


@dataclass(frozen=True)
class Entry:
    """A setting as `.env.example` describes it."""

    section: str
    name: str
    example: str
    meaning: str


def page(root: Path) -> str:
    """Return the page: a table for each section of `.env.example`."""
    entries = list(entries_of((root / ".env.example").read_text()))
    sections = dict.fromkeys(entry.section for entry in entries)
    tables = [
        f"## {section}\n\n{_table([each for each in entries if each.section == section])}\n"
        for section in sections
    ]
    return "\n".join([INTRODUCTION, *tables])


def entries_of(example: str) -> Iterator[Entry]:
    """Yield the settings with the comment above each of them."""
    section, comment = "", list[str]()
    for line in example.splitlines():
        if match := SETTING.fullmatch(line):
            yield Entry(section, match[1], match[2], " ".join(comment))
            comment = []
        elif line.startswith("## "):
            section, comment = line.removeprefix("## "), []
        elif line.startswith("# "):
            comment.append(line.removeprefix("# "))
        else:
            comment = []


def _table(entries: list[Entry]) -> str:
    properties = _properties()
    rows = [
        (
            code(entry.name),
            _values(properties.get(entry.name.lower(), {})),
            _default(entry, properties),
            _with_code(entry.meaning),
        )
        for entry in entries
    ]
    return table(["Setting", "Values", "Default", "Meaning"], rows)


@cache
def _properties() -> dict[str, dict[str, JsonValue]]:
    schemas = TypeAdapter(dict[str, dict[str, JsonValue]])
    return schemas.validate_python(Settings.model_json_schema()["properties"])


def _default(entry: Entry, properties: Mapping[str, Schema]) -> str:
    if properties.get(entry.name.lower(), {}).get("default") is None:
        return ""  # .env.example shows an example instead
    return code(entry.example.strip('"'))


def _values(schema: Schema) -> str:
    """Return a short description of the values that a setting takes."""
    match schema:
        case {"anyOf": [{**only}, {"type": "null"}]}:
            return _values(TypeAdapter(dict[str, JsonValue]).validate_python(only))
        case {"enum": [*values]}:
            return ", ".join(code(str(value)) for value in values)
        case {"format": str(name)}:
            return FORMATS.get(name, name)
        case {"type": str(kind)}:
            return f"{TYPES[kind]}{_limits(schema)}"
        case _:
            return "text"


def _limits(schema: Schema) -> str:
    match schema:
        case {"minimum": low, "maximum": high}:
            return f" from {low} to {high}"
        case {"minimum": low}:
            return f" from {low}"
        case {"exclusiveMinimum": low}:
            return f" above {low}"
        case _:
            return ""


def _with_code(meaning: str) -> str:
    """Mark the code in a meaning: names of settings, commands, addresses, paths, and JSON."""
    return CODE.sub(lambda match: code(match[0]), meaning)
