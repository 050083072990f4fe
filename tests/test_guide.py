"""The guides in setup.md work to the letter."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import update

from app.core.config import Settings
from app.core.resources import Resources, open_resources
from app.models import User
from app.schemas.job import JobStatus
from dev.mail_catcher import MailCatcher
from tests.support.accounts import create_user
from tests.support.guide import Step, follow_guide, steps_of
from tests.support.processes import run_process
from tests.support.servers import Servers
from tests.support.waiting import STALLED_AFTER

RULES = ("-m", "pytest", "--noconftest", "-n0", "-pno:cacheprovider", "tests/test_architecture.py")
MIGRATE = """
from alembic.config import main
for command in "upgrade head", "revision --autogenerate -m notes", "upgrade head", "check":
    main(command.split())
"""
NAME_THE_JOBS = """
from run_base_worker import WorkerSettings
print(*(function.name for function in WorkerSettings.functions))
"""
SHOW_THE_SETTING = """
import os
from app.core.config import load_settings
os.environ["ITEMS_PER_USER"] = "7"
print("items per user:", load_settings().items_per_user)
"""
SHIP_AN_ORDER = """
import asyncio, sys
from app.core.config import load_settings
from app.core.resources import open_resources
from app.schemas.jobs import SendOrderShipped
async def main():
    async with open_resources(load_settings()) as resources, resources.unit_of_work() as uow:
        uow.enqueue(SendOrderShipped(user_id=sys.argv[1], order="66"))
asyncio.run(main())
"""


@asynccontextmanager
async def serve_project(
    settings: Settings, project: Path, resource: str
) -> AsyncIterator[httpx2.AsyncClient]:
    """Serve a changed copy of the project, and yield a client of one of its resources."""
    async with run_process(settings, "run_api.py", "--port", "0", cwd=project) as api:
        url = (await api.wait_for_line("running on")).split("running on ")[1].split()[0]
        async with httpx2.AsyncClient(
            base_url=f"{url}/api/v1/{resource}", timeout=STALLED_AFTER
        ) as client:
            yield client


@pytest.mark.checkout
async def test_the_guide_adds_a_queue_whose_worker_runs_a_job(
    committing_resources: Resources, servers: Servers, tmp_path: Path
) -> None:
    project = follow_guide("How to add a new Queue", tmp_path / "project")
    # No queue has a Redis URL of its own: the new queue uses the database that it declares.
    settings = committing_resources.settings.model_copy(
        update={"queue_redis_urls": {}, "redis_url": servers.redis}
    )

    async with (
        run_process(settings, *RULES, cwd=project) as rules,
        run_process(settings, "run_media_worker.py", cwd=project) as worker,
        run_process(settings, "-m", "tests.support.sign_up", "DrawAvatar", cwd=project) as user,
    ):
        await worker.wait_for_line("worker.started")
        job = JobStatus.model_validate_json(await user.wait_for_line("DrawAvatar"))
        assert (job.queue, job.state, job.attempt) == ("media", "succeeded", 1), job.error
        assert str(job.result).startswith("{'svg': '<svg xmlns=")
        await worker.wait_for_line("job.succeeded")
        assert await rules.wait_for_exit() == 0, rules.output


@pytest.mark.checkout
async def test_the_guide_adds_a_job_that_its_worker_knows(
    settings: Settings, tmp_path: Path
) -> None:
    project = follow_guide("How to add a job", tmp_path / "project")

    async with run_process(settings, "-c", NAME_THE_JOBS, cwd=project) as worker:
        assert await worker.wait_for_line("BuildSignupReport DeleteOldReports ")


@pytest.mark.checkout
async def test_the_guide_adds_an_email_that_its_user_gets(
    committing_resources: Resources, mail_catcher: MailCatcher, tmp_path: Path
) -> None:
    project = follow_guide("How to add an email", tmp_path / "project")
    ada = await create_user(committing_resources)
    async with committing_resources.unit_of_work() as uow:
        await uow.session.execute(update(User).values(full_name=None))

    async with (
        run_process(committing_resources.settings, "run_email_worker.py", cwd=project) as worker,
        run_process(
            committing_resources.settings, "-c", SHIP_AN_ORDER, str(ada.id), cwd=project
        ) as shop,
    ):
        await worker.wait_for_line("job.succeeded")
        email = await mail_catcher.anext()
        assert (email.to, email.subject) == ([ada.email], "Your order was shipped")
        assert (email.text or "").splitlines()[:3] == ["Hello,", "", "Your order 66 is on its way."]
        assert "https://service.example.com/orders/66" in (email.html or "")
        assert await shop.wait_for_exit() == 0, shop.output


@pytest.mark.checkout
async def test_the_guide_adds_a_resource_that_belongs_to_its_user(
    settings_without_database: Settings, tmp_path: Path
) -> None:
    project = follow_guide("How to add a resource", tmp_path / "project")
    async with run_process(settings_without_database, "-c", MIGRATE, cwd=project) as alembic:
        assert await alembic.wait_for_exit() == 0, alembic.output

    async with open_resources(settings_without_database) as resources:
        ada, bob = await create_user(resources), await create_user(resources, "bob")
    async with serve_project(settings_without_database, project, "notes") as client:
        note = (await client.post("/", json={"text": "!"}, headers=ada.headers)).json()
        counts = [
            (await client.get("/", headers=person.headers)).json()["count"] for person in (ada, bob)
        ]
        deletions = [
            (await client.delete(f"/{note['id']}", headers=person.headers)).status_code
            for person in (bob, ada, ada)
        ]
    assert (counts, deletions) == ([1, 0], [403, 200, 404])

    access = ("-m", "pytest", "-n0", "-pno:cacheprovider", "tests/routes/test_access.py")
    async with run_process(
        settings_without_database, *access, "-k", "as_listed or need_no_login", cwd=project
    ) as rules:
        assert await rules.wait_for_exit() == 0, rules.output


@pytest.mark.checkout
async def test_the_guide_gives_items_a_state_that_filters_their_list(
    settings_without_database: Settings, tmp_path: Path
) -> None:
    project = follow_guide("How to change a resource", tmp_path / "project")
    async with run_process(settings_without_database, "-c", MIGRATE, cwd=project) as alembic:
        assert await alembic.wait_for_exit() == 0, alembic.output

    async with open_resources(settings_without_database) as resources:
        ada = await create_user(resources)
        root = await create_user(resources, "root", superuser=True)
    async with serve_project(settings_without_database, project, "items") as client:
        for state in ({}, {"state": "done"}):
            body = {"title": "A book", **state}
            created = await client.post("/", json=body, headers=ada.headers)
            assert created.status_code == 201, created.text
        for headers in (ada.headers, root.headers):
            lists = [
                (await client.get(f"/{query}", headers=headers)).json()
                for query in ("", "?state=open", "?state=done")
            ]
            assert [page["count"] for page in lists] == [2, 1, 1]
            assert [item["state"] for item in lists[2]["data"]] == ["done"]
        unknown = await client.get("/?state=lost", headers=ada.headers)
        assert unknown.status_code == 422


@pytest.mark.checkout
async def test_the_guide_adds_a_setting_that_the_environment_changes(
    settings: Settings, tmp_path: Path
) -> None:
    project = follow_guide("How to add a setting", tmp_path / "project")
    rules = ("-m", "pytest", "-n0", "-pno:cacheprovider", "tests/core/test_config.py")

    async with (
        run_process(settings, "-c", SHOW_THE_SETTING, cwd=project) as process,
        run_process(settings, *rules, "-k", "example_file", cwd=project) as example_file,
        run_process(settings, "-m", "dev.docs", cwd=project) as docs,
    ):
        await process.wait_for_line("items per user: 7")
        assert await example_file.wait_for_exit() == 0, example_file.output
        assert await docs.wait_for_exit() == 0, docs.output
    assert (
        "| `ITEMS_PER_USER` | integer above 0 | `1000` | How many items a user may have. |"
        in (project / "docs/settings.md").read_text()
    )


@pytest.mark.checkout
async def test_the_test_in_the_guide_passes(settings: Settings, tmp_path: Path) -> None:
    project = follow_guide("How to write a test", tmp_path / "project")
    tests = ("-m", "pytest", "-n0", "-pno:cacheprovider", "tests/routes/test_own_items.py")

    async with run_process(settings, *tests, cwd=project) as pytest_run:
        assert await pytest_run.wait_for_exit() == 0, pytest_run.output


@pytest.mark.parametrize(
    ("guide", "most"),
    [
        ("How to add a setting", 2),
        ("How to add a resource", 5),
        ("How to add a job", 4),
        ("How to add an email", 3),
        ("How to add a new Queue", 6),
    ],
)
def test_a_guide_changes_few_places_of_existing_files(guide: str, most: int) -> None:
    """Count the places for the new thing, and not those of the business logic around it."""
    hunks = [
        hunk
        for step in steps_of(guide)
        if step.language == "diff" and not step.file.endswith("_service.py")
        for hunk in step.text.split("@@\n")
    ]

    assert len(hunks) <= most, hunks


def test_an_outdated_guide_fails(tmp_path: Path) -> None:
    (tmp_path / "queue.py").write_text("BASE = 1\nEMAIL = 2\n")
    step = Step("diff", "queue.py", " BASES = 1\n+MEDIA = 3\n")

    with pytest.raises(AssertionError, match=r"queue.py holds these lines 0 times"):
        step.apply(tmp_path)


def test_a_guide_that_creates_an_existing_file_fails(tmp_path: Path) -> None:
    (tmp_path / "worker.py").touch()

    with pytest.raises(AssertionError, match=r"worker.py is not new"):
        Step("python", "worker.py", "").apply(tmp_path)
