"""Two versions of the service, as copies of this project with different jobs and tables."""

import shutil
from pathlib import Path
from textwrap import dedent

from tests.support.servers import ROOT

COPIED = ("app", "alembic", "alembic.ini", "main.py", "run_base_worker.py", "run_email_worker.py")

EFFECTS = """\
CREATE TABLE effects (
  job_id uuid NOT NULL, name text NOT NULL, attempt int NOT NULL, done_at timestamptz DEFAULT now()
)"""

ROUTE = '''\
"""Enqueues one job of each class that this version has."""

from fastapi import Request

from app.core.http.routing import Router
from app.schemas import jobs

router = Router(prefix="/everything")


@router.post("/{{number}}")
async def enqueue_everything(request: Request, number: int) -> dict[str, str]:
    async with request.state.resources.unit_of_work() as uow:
        return {{str(uow.enqueue(job)): type(job).__name__ for job in [{jobs}]}}
'''

HANDLERS = """

async def _effect(ctx: JobContext, name: str) -> None:
    from sqlalchemy import text

    statement = text("INSERT INTO effects VALUES (:job_id, :name, :attempt)")
    async with ctx.completion() as scope:
        values = {"job_id": ctx.job_id, "name": name, "attempt": ctx.attempt}
        await scope.uow.session.execute(statement, values)
"""

HANDLER = """

async def do_{name}(ctx: JobContext, job: schemas.{name}) -> None:
    await _effect(ctx, "{name}")
"""

FORMER = {
    "Kept": ("BASE", "number: int", "number=number"),
    "Removed": ("BASE", "number: int", "number=number"),
    "Defaulted": ("BASE", "number: int", "number=number"),
    "Required": ("BASE", "number: int", "number=number"),
    "Dropped": ("BASE", "number: int\n    old: str = ''", "number=number, old='old'"),
}
"""The jobs of the former version, with their queues, fields, and sample arguments."""

FOLLOWING = {
    "Kept": ("BASE", "number: int", "number=number"),
    "Added": ("BASE", "number: int", "number=number"),
    "Defaulted": ("BASE", "number: int\n    color: str = 'red'", "number=number, color='blue'"),
    "Required": ("BASE", "number: int\n    size: int", "number=number, size=1"),
    "Dropped": ("BASE", "number: int", "number=number"),
    "Render": ("MEDIA", "number: int", "number=number"),
}

MIGRATION = '''\
"""a nickname, and names of any length"""

import sqlalchemy as sa
from alembic import op

revision = "f0110w1n6"
down_revision = "{head}"


def upgrade() -> None:
    op.add_column("users", sa.Column("nickname", sa.Text))
    op.alter_column("users", "full_name", type_=sa.Text, existing_nullable=True)


def downgrade() -> None:
    pass
'''


def former_version(folder: Path) -> Path:
    """Copy the project, with the jobs of a release."""
    copy = _copy(folder)
    _add_jobs(copy, FORMER)
    return copy


def following_version(folder: Path, head: str) -> Path:
    """Copy the project, with the jobs, the queue, and the columns of the release after that."""
    copy = _copy(folder)
    queue = copy / "app/core/queue.py"
    source = queue.read_text()
    declared = 'MEDIA = Queue("media", redis_db=3, concurrency=5)\nQUEUES = (BASE, EMAIL, MEDIA)'
    queue.write_text(source.replace("QUEUES = (BASE, EMAIL)", declared))
    _add_jobs(copy, FOLLOWING)
    (copy / "app/core/worker/media_settings.py").write_text(
        (copy / "app/core/worker/email_settings.py").read_text().replace("EMAIL", "MEDIA")
    )
    (copy / "run_media_worker.py").write_text(
        (copy / "run_email_worker.py").read_text().replace("email_settings", "media_settings")
    )
    model = copy / "app/models/user.py"
    model.write_text(
        model.read_text()
        .replace(
            "    full_name: Mapped[str | None] = mapped_column(String(255))\n",
            "    full_name: Mapped[str | None] = mapped_column(Text)\n"
            "    nickname: Mapped[str | None] = mapped_column(Text)\n",
        )
        .replace(" String, ", " String, Text, ", 1)
    )
    (copy / "alembic/versions/f0110w1n6.py").write_text(MIGRATION.format(head=head))
    return copy


def _copy(folder: Path) -> Path:
    folder.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    return folder


def _add_jobs(copy: Path, jobs: dict[str, tuple[str, str, str]]) -> None:
    queues = ", ".join(sorted({queue for queue, _, _ in jobs.values()}))
    classes = [f"\n\nfrom app.core.queue import {queues}  # noqa\n"]
    handlers = ["\n\nfrom app.schemas import jobs as schemas  # noqa\n", HANDLERS]
    for name, (queue, fields, _) in jobs.items():
        classes.append(f"\n\nclass {name}(Job, queue={queue}):\n    {fields}\n")
        handlers.append(HANDLER.format(name=name))
    _append(copy / "app/schemas/jobs.py", "".join(classes))
    _append(copy / "app/workers/jobs.py", "".join(handlers))
    created = ", ".join(f"jobs.{name}({values})" for name, (_, _, values) in jobs.items())
    (copy / "app/routes/everything.py").write_text(ROUTE.format(jobs=created))
    api = copy / "app/routes/api.py"
    # The API imports this module.
    api.write_text(api.read_text().replace("    audit,\n", "    audit,\n    everything,\n"))


def _append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + dedent(text))
