"""The guides of setup.md, carried out to the letter: a guide that has rotted fails here."""

import re
from pathlib import Path

import httpx2
import pytest

from app.core.config import Settings
from app.core.queue import QUEUES
from app.core.resources import Resources, open_resources
from app.schemas.job import JobStatus
from tests.accounts import someone
from tests.conftest import Servers
from tests.guide import Step, carried_out
from tests.processes import ROOT, running

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


async def test_the_guide_adds_a_queue_whose_worker_runs_a_job(
    committing: Resources, servers: Servers, tmp_path: Path
) -> None:
    project = carried_out("How to add a new Queue", tmp_path / "project")
    # No queue has a Redis URL of its own: the new one's database is the one that it declares.
    settings = committing.settings.model_copy(
        update={"queue_redis_urls": {}, "redis_url": servers.redis}
    )

    async with (
        running(settings, *RULES, cwd=project) as rules,
        running(settings, "run_media_worker.py", cwd=project) as worker,
        running(settings, "-m", "tests.sign_up", "DrawAvatar", cwd=project) as user,
    ):
        await worker.says("worker.started")
        job = JobStatus.model_validate_json(await user.says("DrawAvatar"))
        assert (job.queue, job.state, job.attempt) == ("media", "succeeded", 1), job.error
        assert job.result == {"svg": '<svg xmlns="http://www.w3.org/2000/svg"><text>A</text></svg>'}
        await worker.says("job.succeeded")
        assert await rules.ended() == 0, rules.output


async def test_the_guide_adds_a_job_that_its_worker_knows(
    settings: Settings, tmp_path: Path
) -> None:
    project = carried_out("How to add a job", tmp_path / "project")

    async with running(settings, "-c", NAME_THE_JOBS, cwd=project) as worker:
        assert (
            await worker.says("DeleteOldReports")
            == "BuildSignupReport DeleteExpired DeleteOldReports\n"
        )


async def test_the_guide_adds_a_resource_that_belongs_to_its_user(
    empty: Settings, tmp_path: Path
) -> None:
    project = carried_out("How to add a resource", tmp_path / "project")
    async with running(empty, "-c", MIGRATE, cwd=project) as alembic:
        assert await alembic.ended() == 0, alembic.output

    async with open_resources(empty) as resources:
        ada, bob = await someone(resources), await someone(resources, "bob")
    serving = ("-m", "uvicorn", "main:app", "--port", "0", "--no-proxy-headers")
    async with running(empty, *serving, cwd=project) as api:
        url = (await api.says("running on")).split("running on ")[1].split()[0]
        async with httpx2.AsyncClient(base_url=f"{url}/api/v1/notes", timeout=20) as client:
            note = (await client.post("/", json={"text": "!"}, headers=ada.headers)).json()
            counts = [
                (await client.get("/", headers=person.headers)).json()["count"]
                for person in (ada, bob)
            ]
            deletions = [
                (await client.delete(f"/{note['id']}", headers=person.headers)).status_code
                for person in (bob, ada, ada)
            ]
    assert (counts, deletions) == ([1, 0], [403, 200, 404])

    access = ("-m", "pytest", "-n0", "-pno:cacheprovider", "tests/routes/test_access.py")
    async with running(empty, *access, "-k", "notes or everybody", cwd=project) as rules:
        assert await rules.ended() == 0, rules.output


def test_the_manual_lists_every_setting_with_its_default() -> None:
    example = re.findall(r"^#? ?([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    listed = re.findall(
        r"^\| `([A-Z_]+)` \| (?:`(.*?)`|none) \|", (ROOT / "setup.md").read_text(), re.MULTILINE
    )

    named = {f"QUEUE_{queue.name.upper()}_REDIS_URL" for queue in QUEUES}
    named |= {f"OIDC_GOOGLE_{part}" for part in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET")}
    assert listed == [(name, value) for name, value in example if name not in named]


def test_a_guide_whose_lines_are_not_in_the_project_fails(tmp_path: Path) -> None:
    (tmp_path / "queue.py").write_text("BASE = 1\nEMAIL = 2\n")
    step = Step("diff", "queue.py", " BASES = 1\n+MEDIA = 3\n")

    with pytest.raises(AssertionError, match=r"queue.py holds these lines 0 times"):
        step.carry_out(tmp_path)


def test_a_guide_whose_new_file_exists_fails(tmp_path: Path) -> None:
    (tmp_path / "worker.py").touch()

    with pytest.raises(AssertionError, match=r"worker.py is not new"):
        Step("python", "worker.py", "").carry_out(tmp_path)
