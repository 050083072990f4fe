"""The servers of a run, and the settings of its processes."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import make_url

from app.core.config import Settings
from dev.folder import write_private
from dev.postgres import postgres
from dev.valkey import valkey

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ground:
    """The settings of a run, also in a file for the workers, and its folder.

    With `profile`, our workers write a profile to that file.
    """

    settings: Settings
    folder: Path
    profile: Path | None = None

    @property
    def settings_file(self) -> Path:
        return self.folder / "settings.json"

    @property
    def log(self) -> Path:
        """The output of the workers."""
        return self.folder / "workers.log"


@contextmanager
def own_servers(profile: Path | None = None) -> Iterator[Ground]:
    """Run PostgreSQL and Valkey with production settings, with which a crash loses nothing."""
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        postgres(Path(folder) / "postgres") as database,
        valkey(Path(folder) / "valkey") as redis,
    ):
        url = make_url(database).set(database="benchmark")
        settings = Settings(
            _env_file=None,
            environment="test",
            log_level="warning",
            database_url=url.render_as_string(hide_password=False),
            redis_url=redis,
            queue_redis_urls={},
        )
        configuration = Config(ROOT / "alembic.ini")
        configuration.attributes["settings"] = settings
        command.upgrade(configuration, "head")
        yield laid(settings, Path(folder), profile)


def laid(settings: Settings, folder: Path, profile: Path | None = None) -> Ground:
    """Write the settings of the workers, independent of the developer's environment."""
    ground = Ground(settings, folder, profile)
    names = {
        *("environment", "log_level", "database_url", "redis_url", "queue_redis_urls"),
        "metrics_port",
    }
    write_private(ground.settings_file, json.dumps(settings.model_dump(include=names)))
    return ground


def load(path: Path) -> Settings:
    """Read a ground that `laid` has written."""
    return Settings(_env_file=None, **json.loads(path.read_text()))
