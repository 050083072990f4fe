"""Reads variables in the different forms of files, shells, containers, and secret managers."""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream

from app.core.exceptions import ConfigurationError

KUBERNETES = re.compile(r".*_(PORT|SERVICE_HOST|SERVICE_PORT)(_.*)?")
"""Kubernetes sets such variables for every service of the namespace."""

COMPOSE = {
    *("POSTGRES_PASSWORD", "POSTGRES_OWNER_PASSWORD", "POSTGRES_SERVICE_PASSWORD"),
    *("REDIS_PASSWORD", "MAILPIT_PORT"),
}
"""docker-compose.yml itself reads these from the same file."""

OPENTELEMETRY = "OTEL_"
"""The prefix of variables that the SDK of OpenTelemetry reads itself."""

SIMILARITY = 0.8


def read_env_files(paths: Iterable[Path]) -> list[str]:
    """Return the names of all variables in the files that exist.

    Raises ConfigurationError for a file that cannot be read or parsed. If the parser skipped a
    line instead, a setting would silently keep its default.
    """
    return [name for path in paths if path.is_file() for name in _names_in(path)]


def delivered_values(
    variables: Mapping[str, str | None], *, is_setting: Callable[[str], bool], folder: Path
) -> dict[str, str | None]:
    """Strip quotes, line endings, and byte-order marks from values, and read `<NAME>_FILE` files.

    A relative path starts at `folder`. Raises ConfigurationError for a file that cannot be read,
    and if both `<NAME>` and `<NAME>_FILE` are set.
    """
    values = {name: _unwrapped(value or "") for name, value in variables.items()}
    for name in [name for name in values if name.endswith("_file") and values[name]]:
        setting = name.removesuffix("_file")
        if is_setting(name) or not is_setting(setting):
            continue
        if values.get(setting):
            raise ConfigurationError(
                f"{setting.upper()} and {name.upper()} are both set. Remove one of them"
            )
        values[setting] = _unwrapped(_read(folder / values[name], name.upper()))
    return {name: value for name, value in values.items() if value}


def misspelled(names: Iterable[str], known: Iterable[str]) -> list[tuple[str, str | None]]:
    """Return the names that look like settings, each with the most similar setting, if any."""
    return [*_misspelled(names, known)]


def _misspelled(names: Iterable[str], known: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    settings = {name.upper() for name in known}
    families = {name.split("_")[0] + "_" for name in settings if "_" in name}
    for name in sorted({name.upper() for name in names} - settings - COMPOSE):
        if KUBERNETES.fullmatch(name) or name.startswith(OPENTELEMETRY):
            continue
        similar = next(iter(difflib.get_close_matches(name, settings, 1, SIMILARITY)), None)
        if similar or name.startswith(tuple(families)):
            yield name, similar


def _names_in(path: Path) -> Iterator[str]:
    for binding in parse_stream(StringIO(_read(path, "The settings file"))):
        if binding.error:
            raise ConfigurationError(
                f"{path}, line {binding.original.line}: write NAME=value, and quote a value "
                "that contains quotes"
            )
        if binding.key:
            yield binding.key


def _read(path: Path, what: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{what}: cannot read {path} ({error.strerror})") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{what}: {path} is not UTF-8 text. Save it as UTF-8") from None


def _unwrapped(value: str) -> str:
    """Remove a byte-order mark, line endings, and the quotes that `docker --env-file` keeps."""
    value = value.removeprefix("\ufeff").strip()
    quoted = re.fullmatch(r"(['\"])((?:(?!\1).)*)\1", value, re.DOTALL)
    return quoted[2] if quoted else value
