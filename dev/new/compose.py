"""Edits of docker-compose.yml."""

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from dev.new.source import AnchorNotFound


def add_worker(text: str, block: str) -> str:
    """Add a service below the last worker."""
    services = YAML().load(text)["services"]
    lines = text.splitlines(keepends=True)
    place = _line_after_the_last_worker(services)
    return "".join([*lines[:place], f"{block.rstrip()}\n\n", *lines[place:]])


def _line_after_the_last_worker(services: CommentedMap) -> int:
    names = list(services)
    workers = [number for number, name in enumerate(names) if name.endswith("_worker")]
    if not workers or workers[-1] + 1 == len(names):
        raise AnchorNotFound("service after those called …_worker")
    line: int = services.lc.key(names[workers[-1] + 1])[0]
    return line
