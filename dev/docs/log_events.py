"""The page of log events: each event that the code logs and what it means."""

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.docs.markdown import code, table

MEANINGS = Path(__file__).with_suffix(".toml")
LEVELS = {"debug": 0, "info": 1, "warning": 2, "error": 3, "exception": 4}
LOGGERS = {"log", "logger", "_log"}
MENTION = re.compile(rf"\b(?:{'|'.join(LOGGERS)})\s*\.")
INTRODUCTION = """\
# Log events

`.venv/bin/python -m dev.docs` generates this page from the code and from
`dev/docs/log_events.toml`. Run it after you add or change a log line.

Every process logs to stderr, one line per event: readable text in development, JSON in production.
All lines of a request and of its jobs have the same `request_id`. Arguments of jobs and parameters
of queries are never logged.

The level `exception` is an `error` with its traceback.
"""


@dataclass(frozen=True)
class LogCall:
    """A line of code that logs an event."""

    event: str
    level: str
    fields: tuple[str, ...]
    module: str


def page(root: Path) -> str:
    """Return the page: a table for each group of events.

    Raise ValueError if an event has no meaning or a meaning has no event.
    """
    meanings: dict[str, dict[str, str]] = tomllib.loads(MEANINGS.read_text())
    calls = list(log_calls(root))
    problems = [*_problems(calls, meanings)]
    if problems:
        raise ValueError("\n".join(problems))
    tables = [f"## {group}\n\n{_table(calls, events)}\n" for group, events in meanings.items()]
    return "\n".join([INTRODUCTION, *tables])


def log_calls(root: Path) -> Iterator[LogCall]:
    """Yield each call of a logger in the service and its migrations whose event is a literal."""
    for file in sorted([*(root / "app").rglob("*.py"), *root.glob("alembic/env.py")]):
        module, source = file.relative_to(root).as_posix(), file.read_text()
        if not MENTION.search(source):
            continue  # most modules log nothing, and reading their syntax takes a second
        for node in ast.walk(ast.parse(source)):
            match node:
                case ast.Call(
                    func=ast.Attribute(
                        attr=level, value=ast.Name(id=logger) | ast.Attribute(attr=logger)
                    ),
                    args=[ast.Constant(value=str(event))],
                ) if logger in LOGGERS and level in LEVELS:
                    fields = tuple(each.arg for each in node.keywords if each.arg)
                    yield LogCall(event, level, fields, module)


def _problems(calls: list[LogCall], meanings: dict[str, dict[str, str]]) -> Iterator[str]:
    logged = {call.event: call for call in calls}
    explained = [event for events in meanings.values() for event in events]
    for event in logged.keys() - set(explained):
        yield f'{logged[event].module} logs "{event}": add its meaning to {MEANINGS.name}'
    for event in explained:
        if event not in logged:
            yield f'{MEANINGS.name} explains "{event}", which nothing logs'


def _table(calls: list[LogCall], meanings: dict[str, str]) -> str:
    rows = []
    for event, meaning in meanings.items():
        found = [call for call in calls if call.event == event]
        levels = sorted({call.level for call in found}, key=LEVELS.__getitem__)
        fields = dict.fromkeys(f for call in found for f in call.fields if f != "exc_info")
        modules = sorted({call.module for call in found})
        rows.append(
            (
                code(event),
                ", ".join(levels),
                meaning,
                ", ".join(map(code, fields)),
                ", ".join(map(code, modules)),
            )
        )
    return table(["Event", "Level", "Meaning", "Fields", "Logged in"], rows)
