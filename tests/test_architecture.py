"""The architectural rules that no linter checks."""

import importlib
import inspect
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
from packaging.version import Version
from ruamel.yaml import YAML

from app.core.queue import QUEUES, Job, Queue
from app.core.worker.execution.registry import jobs_of
from app.core.worker.settings import WorkerSettings
from app.schemas import jobs
from app.schemas.jobs import EmailJob
from app.services.emails.composer import FUNCTIONS
from app.workers import jobs as handlers

ROOT = Path(__file__).parent.parent
TEMPLATES = ROOT / "app/templates/email"

FLOORS = {
    "fastapi": "0.136.3",
    "granian": "2.7.4",
    "gunicorn": "26",
    "h11": "0.16.0",
    "pyjwt": "2.15.1",
    "python-multipart": "0.0.32",
    "redis": "5.0",
    "starlette": "1.3.1",
    "uvicorn": "0.49",
}
"""The oldest versions without a known vulnerability."""

AVOIDED = {"ecdsa", "passlib", "python-jose"}


def worker_of(queue: Queue) -> WorkerSettings:
    module = importlib.import_module(f"app.core.worker.{queue.name}_settings")
    settings = module.WorkerSettings
    assert isinstance(settings, WorkerSettings)
    return settings


@cache
def locked() -> dict[str, Version]:
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    return {package["name"]: Version(package["version"]) for package in lock["package"]}


def compose() -> dict[str, dict[str, object]]:
    services: dict[str, dict[str, object]] = YAML(typ="safe").load(ROOT / "docker-compose.yml")[
        "services"
    ]
    return services


def all_jobs() -> list[type[Job]]:
    return [
        job
        for _, job in inspect.getmembers(jobs, inspect.isclass)
        if issubclass(job, Job) and not job.__subclasses__()
    ]


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_every_queue_has_one_worker(queue: Queue) -> None:
    assert worker_of(queue).queue is queue


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_every_queue_has_one_script_that_starts_its_worker(queue: Queue) -> None:
    script = (ROOT / f"run_{queue.name}_worker.py").read_text()

    assert f"from app.core.worker.{queue.name}_settings import WorkerSettings" in script


@pytest.mark.parametrize("queue", QUEUES, ids=lambda queue: queue.name)
def test_every_queue_has_one_service_in_compose(queue: Queue) -> None:
    service = compose()[f"{queue.name}_worker"]

    assert service["command"] == ["python", f"run_{queue.name}_worker.py"]


def test_no_worker_is_left_behind_without_its_queue() -> None:
    names = {queue.name for queue in QUEUES}
    modules = (ROOT / "app/core/worker").glob("*_settings.py")

    assert {path.name.removesuffix("_settings.py") for path in modules} == names
    assert {re.sub("run_|_worker", "", path.stem) for path in ROOT.glob("run_*_worker.py")} == names
    services = [name for name in compose() if name.endswith("_worker")]
    assert {name.removesuffix("_worker") for name in services} == names


def test_queues_share_neither_a_name_nor_a_redis_database() -> None:
    assert len({queue.name for queue in QUEUES}) == len(QUEUES)
    assert len({queue.redis_db for queue in QUEUES}) == len(QUEUES)


@pytest.mark.parametrize("job", all_jobs(), ids=lambda job: job.__name__)
def test_every_job_has_one_handler_on_its_queue(job: type[Job]) -> None:
    handled = [taken for handler in worker_of(job.queue).handlers for taken in jobs_of(handler)]

    assert handled.count(job) == 1


def test_every_handler_works_for_a_queue() -> None:
    written = {
        handler
        for name, handler in inspect.getmembers(handlers, inspect.iscoroutinefunction)
        if handler.__module__ == handlers.__name__ and not name.startswith("_")
    }

    assert written == {handler for queue in QUEUES for handler in worker_of(queue).handlers}


@pytest.mark.parametrize("job", FUNCTIONS, ids=lambda job: job.__name__)
def test_every_email_has_one_function_and_two_templates_named_after_its_job(
    job: type[EmailJob],
) -> None:
    name = FUNCTIONS[job].__name__

    assert job.__name__.removeprefix("Send") == name.title().replace("_", "")
    assert (TEMPLATES / f"{name}.txt").exists()
    assert (TEMPLATES / f"{name}.html").exists()


@pytest.mark.parametrize("job", jobs_of(handlers.send_email), ids=lambda job: job.__name__)
def test_every_job_that_sends_an_email_has_a_function(job: type[EmailJob]) -> None:
    assert [kind for kind in job.__mro__ if kind in FUNCTIONS]


def test_no_template_is_left_behind_without_its_email() -> None:
    names = {path.stem for path in TEMPLATES.iterdir()} - {"base"}

    # The function `email_change` uses this template if the address is taken.
    shared = {"address_taken"}
    assert names == {function.__name__ for function in FUNCTIONS.values()} | shared


@pytest.mark.parametrize("package", FLOORS)
def test_no_locked_package_is_known_to_be_vulnerable(package: str) -> None:
    version = locked().get(package)

    assert version is None or version >= Version(FLOORS[package])


def test_no_abandoned_package_is_used() -> None:
    assert not AVOIDED & locked().keys()


def test_the_lock_file_names_the_public_index_only() -> None:
    hosts = re.findall(r"https?://([^/]+)", (ROOT / "uv.lock").read_text())

    assert set(hosts) == {"pypi.org", "files.pythonhosted.org"}


def test_the_folder_of_migrations_does_not_shadow_the_library() -> None:
    assert not (ROOT / "alembic/__init__.py").exists()


def test_no_test_module_imports_another() -> None:
    """Shared code has its own module, so that a test can be moved or deleted."""
    imports = re.compile(r"^ *(?:from|import) tests\.(?:\w+\.)*test_\w+", re.MULTILINE)
    importing = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if imports.search(path.read_text())
    }

    assert importing == set()


def test_only_one_module_reads_the_secret_key() -> None:
    """So all signatures and encryption take part in a change of the key."""
    readers = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "app").rglob("*.py")
        if re.search(r"\b(settings|self)\.secret_key", path.read_text())
    }

    assert readers == {"app/core/configuration/process.py", "app/core/security/keys.py"}


def test_only_the_migration_knows_how_to_be_owner_or_administrator() -> None:
    """All containers read the same .env, so the others must not pass these passwords on."""
    secret = {"DATABASE_OWNER_URL", "DATABASE_ADMIN_URL", "POSTGRES_PASSWORD"}
    secret |= {"POSTGRES_OWNER_PASSWORD"}
    for name, service in compose().items():
        environment = service.get("environment")
        if "env_file" not in service or name == "migrate":
            continue
        assert isinstance(environment, dict)
        assert {variable: environment.get(variable) for variable in secret} == dict.fromkeys(
            secret, ""
        )


def test_every_container_is_confined_and_shows_no_password_on_its_command_line() -> None:
    for name, service in compose().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"], name
        assert service["mem_limit"], name
        assert "PASSWORD}" not in str(service.get("command")), name


def test_folders_in_memory_keep_their_owner_and_mode_when_a_container_restarts() -> None:
    """Without options, some runtimes change the mode, and PostgreSQL cannot start."""
    for name, service in compose().items():
        folders = service["tmpfs"]
        assert isinstance(folders, list)
        assert [folder for folder in folders if ":" not in folder or "mode=" not in folder] == [], (
            name
        )


def test_every_image_can_be_pinned_by_its_digest() -> None:
    images = {str(service["image"]) for service in compose().values()} - {"fastapi-boilerplate"}
    pinnable = {image for image in images if re.fullmatch(r"\$\{[A-Z]+_IMAGE:-[^}]+\}", image)}
    guide = (ROOT / "docs/deployment.md").read_text()

    assert images == pinnable
    assert "FROM python" not in (ROOT / "Dockerfile").read_text()
    for image in pinnable:
        variable, _, default = image.strip("${}").partition(":-")
        assert f"{variable.removesuffix('_IMAGE')}={default}" in guide
