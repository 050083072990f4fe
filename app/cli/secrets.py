"""`secrets`: change SECRET_KEY without losing a second factor."""

import sys

from app.cli.command import FAILED, Arguments, Backends, Subparsers, add_command, answer
from app.cli.scope import open_scope
from app.services.auth.key_rotation import Progress, last_use_of_earlier_key, reencrypt


def register(commands: Subparsers) -> None:
    """Add the group and its commands."""
    secrets = commands.add_parser("secrets", help="change SECRET_KEY")
    group = secrets.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_command(
        group,
        "rotate",
        rotate,
        help="encrypt again under SECRET_KEY what a key of SECRET_KEY_FALLBACKS encrypted",
    )


async def rotate(backends: Backends, arguments: Arguments) -> int:
    """Print the progress, and from when on the earlier keys can be removed."""
    totals: dict[str, Progress] = {}
    async for progress in reencrypt(lambda: open_scope(backends)):
        totals[progress.title] = progress
        sys.stderr.write(
            f"{progress.title}: {progress.done} of {progress.total}, "
            f"{progress.renewed} encrypted again\n"
        )
    unreadable = sum(progress.unreadable for progress in totals.values())
    free = last_use_of_earlier_key(backends.settings)
    report = {"progress": [*totals.values()], "removable_at": None if unreadable else free}
    if unreadable:
        answer(
            arguments,
            report,
            f"{unreadable} secrets cannot be read with any key. Add the key that encrypted them to "
            "SECRET_KEY_FALLBACKS, and run this command again. Their users can log in with a "
            "recovery code until then.",
        )
        return FAILED
    return answer(
        arguments,
        report,
        "Everything is encrypted under SECRET_KEY. Remove SECRET_KEY_FALLBACKS after "
        f"{free:%Y-%m-%d %H:%M} UTC, when the last token that an earlier key signed has expired.",
    )
