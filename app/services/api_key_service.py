"""API keys: what programs act with for a user."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update

from app.core.exceptions import Forbidden, NotFound, Unauthenticated
from app.core.resources import Resources
from app.core.tokens import hash_token, new_token
from app.core.unit_of_work import UnitOfWork
from app.models import ApiKey, User
from app.schemas.api_key import ApiKeyCreate
from app.services.audit import AuditTrail, Caller
from app.services.page import Page, page_of
from app.services.password_proof import prove_password
from app.services.principal import Principal

PREFIX = "fab_"
"""What people and scanners for leaked secrets recognise a key by; no access token begins so."""

HINT_LENGTH = len(PREFIX) + 4
PRECISION = timedelta(minutes=1)
"""How exactly the last use is known: a busy key costs one write a minute, not one a request."""


class ApiKeyNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("API key not found")


class NotForApiKeys(Forbidden):
    def __init__(self) -> None:
        super().__init__("An API key may not do this")


async def authenticate_key(uow: UnitOfWork, key: str) -> Principal:
    """Tell who stands behind an API key: its owner, with no more than its scopes.

    Raises Unauthenticated, also when it has expired or the owner is inactive.
    """
    found = await uow.session.execute(
        select(ApiKey, User)
        .join(User, User.id == ApiKey.user_id)
        .where(ApiKey.key_hash == hash_token(key), ApiKey.expires_at > func.now(), User.is_active)
    )
    if (row := found.one_or_none()) is None:
        raise Unauthenticated
    api_key, user = row
    await _note_use(uow, api_key)
    return Principal(user, scopes=frozenset(api_key.scopes))


async def _note_use(uow: UnitOfWork, api_key: ApiKey) -> None:
    before = datetime.now(UTC) - PRECISION
    if api_key.last_used_at is not None and api_key.last_used_at > before:
        return
    # Of many requests at this moment, those who waited for the first find nothing to do.
    due = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= before)
    await uow.session.execute(
        update(ApiKey).where(ApiKey.id == api_key.id, due).values(last_used_at=func.now())
    )


class ApiKeyService:
    """Opens transactions of its own: none is open while a password is hashed."""

    def __init__(self, resources: Resources, caller: Caller) -> None:
        self.resources = resources
        self.caller = caller

    async def create(self, principal: Principal, wish: ApiKeyCreate) -> tuple[ApiKey, str]:
        """Make a key, and return it with what it is sent as, this once.

        Raises IncorrectPassword: a key outlives the session that it was made in.
        """
        user = principal.user
        password = wish.current_password.get_secret_value()
        await prove_password(self.resources, self.caller, user, password)
        key = PREFIX + new_token()
        api_key = ApiKey(
            user_id=user.id,
            name=wish.name,
            key_hash=hash_token(key),
            hint=key[:HINT_LENGTH],
            scopes=sorted(set(wish.scopes)),
            expires_at=datetime.now(UTC) + timedelta(days=wish.expires_in_days),
        )
        async with self.resources.unit_of_work() as uow:
            uow.session.add(api_key)
            await uow.session.flush()
            self._record(uow, "api_key.created", api_key)
        return api_key, key

    async def list(self, user_id: UUID, *, skip: int, limit: int) -> Page[ApiKey]:
        """List a user's keys, newest first."""
        query = select(ApiKey).where(ApiKey.user_id == user_id).order_by(ApiKey.id.desc())
        async with self.resources.unit_of_work() as uow:
            return await page_of(uow, query, skip=skip, limit=limit)

    async def revoke(self, user_id: UUID, key_id: UUID) -> None:
        """Make a key useless from the next request on. Raises ApiKeyNotFound."""
        async with self.resources.unit_of_work() as uow:
            revoked = await uow.session.scalar(
                delete(ApiKey)
                .where(ApiKey.id == key_id, ApiKey.user_id == user_id)
                .returning(ApiKey)
            )
            if revoked is None:
                raise ApiKeyNotFound
            self._record(uow, "api_key.revoked", revoked)

    def _record(self, uow: UnitOfWork, event: str, api_key: ApiKey) -> None:
        AuditTrail(uow, self.caller).record(
            event,
            user_id=api_key.user_id,
            actor_id=api_key.user_id,
            key_id=str(api_key.id),
            name=api_key.name,
            scopes=list(api_key.scopes),
        )
