"""The users that call every route, and the objects of one of them."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import func

from app import models
from app.core.job_store.outbox import outbox
from app.core.resources import Resources
from app.models.base import Identified
from app.schemas.jobs import BuildSignupReport
from app.services.scope import Scope
from tests.support.accounts import PASSWORD, Person, create_user, open_anonymous_scope
from tests.support.api_keys import new_api_key
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
    async with open_anonymous_scope(resources) as scope:
        ids = await _add_one_of_each(scope, owner)
    async with resources.unit_of_work() as uow:  # a dead letter, so its stream of events ends
        failed = outbox.update().where(outbox.c.id == ids["job_id"])
        await uow.session.execute(failed.values(failed_at=func.now(), attempts=3, error="OSError"))
    return People(stranger, owner, root, ids)


async def _add_one_of_each(scope: Scope, owner: Person) -> dict[str, UUID | str]:
    """Give the owner one of each, and return their ids by the names in the paths."""
    api_key, _ = new_api_key(owner)
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
        "role_id": models.Role(name="reader", permissions=[]),
        "key_id": api_key,
    }
    job_id = scope.uow.enqueue(BuildSignupReport())
    report = models.SignupReport(
        id=job_id, first_day=date(2026, 1, 1), last_day=date(2026, 1, 1), total=0, days=[]
    )
    job_owner = models.JobOwner(job_id=job_id, user_id=owner.id)
    scope.uow.session.add_all([*owned.values(), report, job_owner])
    await scope.uow.session.flush()
    return {
        **{name: row.id for name, row in owned.items()},
        "user_id": owner.id,
        "provider": "acme",
        "job_id": job_id,
        "report_id": job_id,
        "session_id": owner.session_id,
        "email": owner.email,
        "queue": "base",
        "name": "BuildSignupReport",
        "cron": "nightly",
    }
