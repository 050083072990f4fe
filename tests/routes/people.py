"""The users that call every route, and the objects that one of them owns."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import func

from app import models
from app.core.job_store.outbox import outbox
from app.core.resources import Resources
from app.models.base import Identified
from app.schemas.jobs import BuildSignupReport
from tests.support.accounts import PASSWORD, Person, create_user
from tests.support.api_keys import create_api_key
from tests.support.authenticator import enroll_authenticator
from tests.support.passwords import hash_password


@dataclass(frozen=True)
class People:
    """A stranger, a superuser, and an owner of one of each."""

    stranger: Person
    owner: Person
    superuser: Person
    ids: dict[str, UUID | str]


async def create_people(resources: Resources) -> People:
    password_hash = await hash_password(PASSWORD)
    stranger = await create_user(resources, "stranger", password_hash=password_hash)
    owner = await create_user(resources, "owner", password_hash=password_hash)
    root = await create_user(resources, "root", superuser=True, password_hash=password_hash)
    for person in (stranger, owner, root):
        await enroll_authenticator(resources, person)
    key_id, _ = await create_api_key(resources, owner)
    owned: dict[str, Identified] = {
        "passkey_id": models.Passkey(
            user_id=owner.id,
            name="Phone",
            credential_id=b"credential",
            public_key=b"key",
            sign_count=0,
            transports=[],
            is_backup_eligible=False,
            is_backed_up=False,
        ),
        "id": models.Item(title="A book", owner_id=owner.id),
        "identity_id": models.Identity(
            user_id=owner.id, provider="acme", subject="1", email="owner@example.com"
        ),
    }
    async with resources.unit_of_work() as uow:
        role = models.Role(name="reader", permissions=[])
        job_id = uow.enqueue(BuildSignupReport())
        report = models.SignupReport(
            id=job_id, first_day=date(2026, 1, 1), last_day=date(2026, 1, 1), total=0, days=[]
        )
        job_owner = models.JobOwner(job_id=job_id, user_id=owner.id)
        uow.session.add_all([*owned.values(), role, report, job_owner])
    async with resources.unit_of_work() as uow:  # it has failed for good: its stream of events ends
        failed = outbox.update().where(outbox.c.id == job_id)
        await uow.session.execute(failed.values(failed_at=func.now(), attempts=3, error="OSError"))
    ids: dict[str, UUID | str] = {
        **{name: row.id for name, row in owned.items()},
        "user_id": owner.id,
        "role_id": role.id,
        "provider": "acme",
        "job_id": job_id,
        "report_id": job_id,
        "session_id": owner.session_id,
        "key_id": key_id,
        "email": owner.email,
        "queue": "base",
        "name": "BuildSignupReport",
        "cron": "nightly",
    }
    return People(stranger, owner, root, ids)
