"""`secrets`: change SECRET_KEY without losing a second factor."""

import sys

from app.cli.command import FAILED, Arguments, Subparsers, add_command, print_result
from app.cli.scope import open_operator_scope
from app.core.resources import Resources
from app.services.auth.key_rotation import Progress, last_use_of_earlier_key, reencrypt


def register(commands: Subparsers) -> None:
    secrets = commands.add_parser("secrets", help="change SECRET_KEY")
    group = secrets.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add_command(
        group,
        "rotate",
        rotate,
        help="re-encrypt with SECRET_KEY what a key of SECRET_KEY_FALLBACKS has encrypted",
    )


async def rotate(resources: Resources, arguments: Arguments) -> int:
    """Re-encrypt secrets, and print the progress and when the earlier keys can be removed."""
    totals: dict[str, Progress] = {}
    async for progress in reencrypt(lambda: open_operator_scope(resources)):
        totals[progress.title] = progress
        sys.stderr.write(
            f"{progress.title}: {progress.done} of {progress.total}, "
            f"{progress.renewed} re-encrypted\n"
        )
    unreadable = sum(progress.unreadable for progress in totals.values())
    removable_at = last_use_of_earlier_key(resources.settings)
    report = {"progress": [*totals.values()], "removable_at": None if unreadable else removable_at}
    if unreadable:
        print_result(
            arguments,
            report,
            f"{unreadable} secrets cannot be decrypted with any key. Add the key that encrypted "
            "them to SECRET_KEY_FALLBACKS, and run this command again. Until then, their users can "
            "log in with a recovery code.",
        )
        return FAILED
    return print_result(
        arguments,
        report,
        "Everything is encrypted with SECRET_KEY. Remove SECRET_KEY_FALLBACKS after "
        f"{removable_at:%Y-%m-%d %H:%M} UTC, when the last token of an earlier key expires.",
    )
