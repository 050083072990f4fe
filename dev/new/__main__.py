"""The command line of `bin/new`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from dev.new.email import add_email
from dev.new.errors import InvalidArgument, NewError
from dev.new.job import add_job
from dev.new.project import create_project, untracked_files
from dev.new.queue import add_queue
from dev.new.resource import add_resource
from dev.new.tree import Tree
from dev.new.types import TYPES

ROOT = Path(__file__).parents[2]
HELP = """\
Add what the guides in setup.md describe, with its test, its migration, and its documentation.
It changes all files or none, and prints each file that it created or changed.
"""
EXAMPLES = f"""\
examples:
  bin/new resource note text:str done:bool
  bin/new job base DeleteOldReports days:int
  bin/new queue media
  bin/new email order_shipped order:str
  bin/new project ../shop --name Shop

A field is written name:type. A ? makes it optional, as in due:date?. The types:
  {", ".join(TYPES)}
"""


class Arguments(argparse.Namespace):
    """The parsed command line."""

    kind: str
    name: str
    folder: str
    queue: str
    fields: list[str]
    concurrency: int
    redis_db: int | None
    plural: str | None


class Parser(argparse.ArgumentParser):
    """Explain an invalid command line in one sentence."""

    def error(self, message: str) -> NoReturn:
        raise InvalidArgument(f"{message[:1].upper()}{message[1:]}. See {self.prog} --help.")


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Return the exit code: 0, 1 if nothing could be added, or 2 for an invalid command line."""
    try:
        report, next_steps = _run(root, _parser().parse_args(arguments, namespace=Arguments()))
    except NewError as error:
        sys.stderr.write(f"bin/new: {error}\n")
        return error.code
    steps = [*next_steps, "Check it: bin/check && bin/test"]
    numbered = [f"  {number}. {step}" for number, step in enumerate(steps, 1)]
    sys.stdout.write("\n".join([*report, "", "Next:", *numbered, ""]))
    return 0


def _run(root: Path, arguments: Arguments) -> tuple[list[str], list[str]]:
    if arguments.kind == "project":
        next_steps = create_project(root, arguments.folder, name=arguments.name)
        report = [f"created  {arguments.folder}"]
        if untracked := untracked_files(root):
            report.append(f"left out {', '.join(untracked)}, because Git does not track it")
        return report, next_steps
    tree = Tree(root)
    next_steps = _add(tree, arguments)
    return tree.write(), next_steps


def _add(tree: Tree, arguments: Arguments) -> list[str]:
    match arguments.kind:
        case "resource":
            return add_resource(tree, arguments.name, arguments.fields, plural=arguments.plural)
        case "job":
            return add_job(tree, arguments.queue, arguments.name, arguments.fields)
        case "email":
            return add_email(tree, arguments.name, arguments.fields)
        case _:
            return add_queue(
                tree,
                arguments.name,
                concurrency=arguments.concurrency,
                redis_db=arguments.redis_db,
            )


def _parser() -> Parser:
    parser = Parser(
        prog="bin/new",
        description=HELP,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="KIND")
    resource = kinds.add_parser(
        "resource", help="a table whose rows belong to users, and its routes"
    )
    resource.add_argument("name", metavar="NAME", help="the singular, such as note")
    resource.add_argument("fields", nargs="+", metavar="FIELD", help="such as text:str")
    resource.add_argument("--plural", help="the plural if it is irregular, such as people")
    job = kinds.add_parser("job", help="a job of a queue, and its handler")
    job.add_argument("queue", metavar="QUEUE", help="such as base")
    job.add_argument("name", metavar="CLASS", help="such as DeleteOldReports")
    job.add_argument("fields", nargs="*", metavar="FIELD", help="such as days:int")
    queue = kinds.add_parser("queue", help="a queue with its worker and its container")
    queue.add_argument("name", metavar="NAME", help="such as media")
    queue.add_argument("--concurrency", type=int, default=10, help="jobs at once per worker")
    queue.add_argument("--redis-db", type=int, help="the next free database by default")
    email = kinds.add_parser("email", help="an email to a user")
    email.add_argument("name", metavar="NAME", help="such as order_shipped")
    email.add_argument("fields", nargs="*", metavar="FIELD", help="such as order:str")
    project = kinds.add_parser("project", help="a copy of this project under another name")
    project.add_argument("folder", metavar="FOLDER", help="such as ../shop")
    project.add_argument("--name", help="such as Shop; the name of the folder by default")
    return parser


if __name__ == "__main__":
    sys.exit(main())
