"""The files of a project, and changes that are made together or not at all."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from dev.new.errors import NewError
from dev.new.replace import replace_all, signals_deferred
from dev.new.source import AnchorNotFound, InvalidSource, names_in
from dev.new.tidy import tidied

P = ParamSpec("P")
T = TypeVar("T")


class Tree:
    """A project. Its changes stay in memory until `write`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._originals: dict[str, str] = {}
        self._texts: dict[str, str] = {}

    @property
    def created(self) -> list[str]:
        """The new files, in alphabetical order."""
        return sorted(file for file in self._texts if not (self.root / file).exists())

    @property
    def changed(self) -> list[str]:
        """The changed files, in alphabetical order."""
        return sorted(self._texts.keys() - set(self.created))

    def files(self, pattern: str) -> list[str]:
        """Return the files that match a pattern, in alphabetical order."""
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.glob(pattern))

    def read(self, file: str) -> str:
        """Return the text of a file with its changes. Raise NewError if it does not exist."""
        if file not in self._texts:
            try:
                self._originals[file] = (self.root / file).read_text()
            except OSError as error:
                raise NewError(f"Cannot read {file}: {error.strerror}.") from error
        return self._texts.get(file, self._originals.get(file, ""))

    def inspect(
        self,
        file: str,
        question: Callable[Concatenate[str, P], T],
        *arguments: P.args,
        **options: P.kwargs,
    ) -> T:
        """Return the result of a function on a file. Raise NewError if it finds nothing."""
        try:
            return question(self.read(file), *arguments, **options)
        except InvalidSource as error:
            raise NewError(f"{file} is not valid Python: {error}.") from error
        except AnchorNotFound as error:
            raise NewError(
                f"{file} has no {error}, so bin/new cannot extend it: follow the guide in setup.md."
            ) from error

    def refuse_name(self, file: str, name: str) -> None:
        """Raise NewError if a module already has a name."""
        if name in self.inspect(file, names_in):
            raise NewError(f"{file} already has the name {name}.")

    def create(self, file: str, text: str) -> None:
        """Add a file. Raise NewError if it exists."""
        package = file.removesuffix(".py")
        for taken in (file, package):
            if (self.root / taken).exists() or taken in self._texts:
                raise NewError(f"{taken} already exists.")
        self._texts[file] = text

    def edit(
        self,
        file: str,
        change: Callable[Concatenate[str, P], str],
        *arguments: P.args,
        **options: P.kwargs,
    ) -> None:
        """Change the text of a file. Raise NewError if the place to change is not found."""
        self._texts[file] = self.inspect(file, change, *arguments, **options)

    def write(self) -> list[str]:
        """Write all changes, or none if one fails. Return a line for each file. Raise NewError."""
        texts = {file: tidied(self.root, file, text) for file, text in self._texts.items()}
        created, changed = self.created, self.changed
        try:
            with signals_deferred(), tempfile.TemporaryDirectory(".new", dir=self.root) as staged:
                self._refuse_changes_by_others()
                replace_all(self.root, texts, Path(staged))
        except OSError as error:
            raise NewError(f"Nothing was changed: {error}.") from error
        return [f"created  {file}" for file in created] + [f"changed  {file}" for file in changed]

    def _refuse_changes_by_others(self) -> None:
        for file, text in self._originals.items():
            if (self.root / file).read_text() != text:
                raise NewError(f"Nothing was changed: {file} has changed meanwhile. Try again.")
