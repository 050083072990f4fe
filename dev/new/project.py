"""`bin/new project ../shop --name Shop` copies the last commit under another name."""

import re
import tempfile
import tomllib
from pathlib import Path

from dev.new.errors import NewError
from dev.new.git import git
from dev.new.identity import Identity
from dev.new.render import render
from dev.new.tidy import format_all

UPSTREAM = ".upstream"
LEFT_BEHIND = ("LICENSE", "steps-i-to.md", "tests/dev/new/test_project.py")
REWRITTEN = ("README.md", "CHANGELOG.md")
AS_IT_IS = ("app/static/docs/swagger-ui", "app/core/configuration/common_passwords.txt")
"""Files by other authors, which are copied unchanged."""


def create_project(root: Path, folder: str, *, name: str | None) -> list[str]:
    """Create a project in a folder that does not exist yet. Return the next steps."""
    target = Path(folder).resolve()
    _refuse(root, target)
    lock = tomllib.loads((root / "uv.lock").read_text())
    old = Identity.of(root)
    title = name or target.name.replace("_", " ").replace("-", " ").title()
    new = Identity.called(title, taken={package["name"] for package in lock["package"]})

    # Built next to its target and moved there at the end, so a failure leaves nothing.
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as building:
        project = Path(building) / target.name
        _copy_the_last_commit(root, project)
        _rename(project, old, new)
        _rewrite(project, new, _upstream(root))
        format_all(project)
        _commit(project, new)
        project.replace(target)
    return [
        f"cd {folder}",
        "Run it: bin/dev",
        "Choose a license. The license of the copied code is in .upstream.",
        "Write README.md, and replace the addresses in SECURITY.md.",
    ]


def untracked_files(root: Path) -> list[str]:
    """Return the files that Git does not track. A folder without tracked files is one entry."""
    listed = git(root, "ls-files", "-z", "--others", "--exclude-standard", "--directory")
    return sorted(listed.decode().rstrip("\0").split("\0")) if listed else []


def _refuse(root: Path, target: Path) -> None:
    if (root / UPSTREAM).exists():
        raise NewError(
            "This project is itself a copy. Run bin/new project in the project it was copied from."
        )
    if target.exists():
        raise NewError(f"{target} already exists.")
    if not target.parent.is_dir():
        raise NewError(f"The folder {target.parent} does not exist.")
    if target.is_relative_to(root.resolve()):
        raise NewError(f"{target} is inside this project. Choose a folder next to it.")
    if git(root, "status", "--porcelain", "--untracked-files=no"):
        raise NewError(
            "There are uncommitted changes. Commit them first: a project is a copy of a commit."
        )


def _copy_the_last_commit(root: Path, project: Path) -> None:
    git(root, "checkout-index", "--all", f"--prefix={project.resolve()}/")
    for file in LEFT_BEHIND:
        (project / file).unlink()


def _rename(project: Path, old: Identity, new: Identity) -> None:
    names = dict(zip(old.names(), new.names(), strict=True))
    pattern = re.compile("|".join(rf"(?<![A-Za-z0-9]){re.escape(name)}" for name in names))
    for path in sorted(project.rglob("*")):
        file = path.relative_to(project).as_posix()
        if path.is_symlink() or not path.is_file() or file.startswith(AS_IT_IS):
            continue
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        if any(name in text for name in names):  # a search that is faster than the pattern's
            path.write_text(pattern.sub(lambda found: names[found[0]], text))


def _rewrite(project: Path, new: Identity, upstream: str) -> None:
    for file in REWRITTEN:
        (project / file).write_text(render(f"project/{file}", identity=new))
    (project / UPSTREAM).write_text(upstream)
    _change(project / "pyproject.toml", r'^description = ".*"$', f'description = "{new.title}"')
    _change(project / "pyproject.toml", r'^license = ".*"\n', "")
    _change(project / "setup.md", r"^\| .*\(steps-i-to\.md\).*\n", "")
    _change(project / "CONTRIBUTING.md", r"\n## License\n(?:.|\n)*\Z", "")
    _change(project / "SECURITY.md", r" Projects made from this\n.*\.\n", "\n")


def _change(path: Path, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, path.read_text(), flags=re.MULTILINE)
    if count != 1:
        raise NewError(f"{path.name} has {count} places like {pattern}, and bin/new expects one.")
    path.write_text(text)


def _upstream(root: Path) -> str:
    remotes = git(root, "remote", "-v").decode().split()
    return render(
        "project/upstream",
        source=remotes[1] if remotes else str(root),
        commit=git(root, "rev-parse", "HEAD").decode().strip(),
        license=(root / "LICENSE").read_text(),
    )


def _commit(project: Path, new: Identity) -> None:
    git(project, "init", "--quiet", "--initial-branch=main")
    git(project, "add", "--all")
    git(project, "commit", "--quiet", f"--message=Begin {new.title}")
