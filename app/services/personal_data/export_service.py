"""Export of personal data: the user requests an archive, a job builds it, and an email links to it.

The link needs no login. An attacker needs a login to request an archive and the mailbox to get it,
so one of them is not enough. A new password invalidates the link, like every emailed link.
"""

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert

from app.core.job_store.outbox import alive, outbox
from app.core.security.attempts import Action, Attempt
from app.models import PersonalDataArchive, Purpose
from app.schemas.jobs import ExportPersonalData, SendPersonalData
from app.services.audit import AuditTrail
from app.services.auth.actor import lock_confirmed_actor
from app.services.auth.email_token_service import EmailTokenService, InvalidToken
from app.services.personal_data.archive import build_archive
from app.services.scope import Scope
from app.services.user_service import UserService

_ARCHIVE = select(PersonalDataArchive.compressed_json).where(
    PersonalDataArchive.user_id == bindparam("user_id"),
    PersonalDataArchive.expires_at > func.now(),
)


_STATUS = select(PersonalDataArchive.created_at, PersonalDataArchive.expires_at).where(
    PersonalDataArchive.user_id == bindparam("user_id"),
    PersonalDataArchive.expires_at > func.now(),
)
_IS_BEING_BUILT = select(outbox.c.id).where(outbox.c.key == bindparam("key"), alive)


@dataclass(frozen=True, slots=True)
class ExportStatus:
    """Whether a job is building an archive, and the times of the archive that is available."""

    is_being_built: bool
    created_at: datetime | None = None
    expires_at: datetime | None = None


class PersonalDataService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow

    async def request(self) -> None:
        """Enqueue the job that builds the user's archive, unless one is already enqueued.

        Raise EmailNotConfirmed: the link must not go to another person's mailbox.
        """
        user = await lock_confirmed_actor(self.scope)
        self.uow.enqueue(
            ExportPersonalData(user_id=user.id),
            key=_key_of(user.id),
            on_conflict="ignore",
        )
        AuditTrail(self.scope).record("personal_data.requested", user_id=user.id, actor_id=user.id)

    async def status(self) -> ExportStatus:
        user_id = self.scope.principal.user_id
        reader = self.scope.reader
        job_id = await reader.scalar(_IS_BEING_BUILT, key=_key_of(user_id))
        archive = await reader.first(_STATUS, user_id=user_id)
        return ExportStatus(job_id is not None, *(archive or ()))

    async def build(self, user_id: UUID) -> bytes:
        """Return the compressed archive of a user."""
        return zlib.compress(await build_archive(self.scope, user_id))

    async def store(self, user_id: UUID, compressed: bytes) -> None:
        """Store an archive, which replaces an earlier one, and send the user a link to it."""
        user = await UserService(self.scope).get(user_id)
        lifetime = timedelta(seconds=self.scope.settings.personal_data_link_lifetime)
        values = {
            "compressed_json": compressed,
            "created_at": func.now(),
            "expires_at": datetime.now(UTC) + lifetime,
        }
        row = insert(PersonalDataArchive).values(user_id=user_id, **values)
        await self.uow.session.execute(
            row.on_conflict_do_update(index_elements=["user_id"], set_=values)
        )
        self.uow.enqueue(SendPersonalData(user_id=user_id, email=user.email))

    async def download(self, token: str) -> bytes:
        """Return the JSON of an archive. The link works repeatedly until it expires.

        Otherwise, programs that check links in emails for malware would use it up. Raise
        InvalidToken or TooManyAttempts.
        """
        attempt = Attempt(Action.PERSONAL_DATA, self.scope.request.ip_address)
        async with self.scope.throttle.guess(attempt):
            user_id = await EmailTokenService(self.scope).peek(token, Purpose.PERSONAL_DATA)
        compressed = await self.scope.reader.scalar(_ARCHIVE, user_id=user_id)
        if compressed is None:
            raise InvalidToken
        AuditTrail(self.scope).record("personal_data.downloaded", user_id=user_id, actor_id=None)
        return zlib.decompress(compressed)


def _key_of(user_id: UUID) -> str:
    return f"personal data of {user_id}"
