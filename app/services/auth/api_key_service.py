"""API keys, with which programs act for a user."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import bindparam, delete, func, select, update

from app.core.exceptions import Conflict, Forbidden, NotFound
from app.core.security.tokens import hash_token, new_token
from app.models import Alert, ApiKey
from app.schemas.api_key import ApiKeyCreate, ApiKeyPublic
from app.schemas.common import Page
from app.services.alerts import notify
from app.services.audit import AuditTrail
from app.services.auth.actor import lock_confirmed_actor
from app.services.auth.authentication import API_KEY_PREFIX, USE_IS_DUE
from app.services.auth.reauthentication import reauthenticate
from app.services.columns import select_as
from app.services.scope import Scope

HINT_LENGTH = len(API_KEY_PREFIX) + 4

_OWN = (
    select_as(ApiKeyPublic, ApiKey)
    .where(ApiKey.user_id == bindparam("user_id"))
    .order_by(ApiKey.id.desc())
)


class ApiKeyNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("API key not found")


class TooManyApiKeys(Conflict):
    def __init__(self, limit: int) -> None:
        super().__init__(f"You have {limit} API keys, which is the limit. Revoke one first")


class NotForApiKeys(Forbidden):
    def __init__(self) -> None:
        super().__init__("An API key may not do this")


class ApiKeyService:
    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.uow = scope.uow

    async def create(self, data: ApiKeyCreate) -> tuple[ApiKey, str]:
        """Create a key. Return its row and the key itself, which is shown once.

        Raise RecentProofRequired or IncorrectPassword: a key outlives the session in which it is
        created. Raise EmailNotConfirmed, and TooManyApiKeys beyond API_KEYS_PER_USER.
        """
        await reauthenticate(self.scope, data.current_password)
        user = await lock_confirmed_actor(self.scope)
        await self._check_limit(user.id)
        key = API_KEY_PREFIX + new_token()
        api_key = ApiKey(
            user_id=self.scope.principal.user_id,
            name=data.name,
            key_hash=hash_token(key),
            hint=key[:HINT_LENGTH],
            scopes=sorted(set(data.scopes)),
            expires_at=datetime.now(UTC) + timedelta(days=data.expires_in_days),
        )
        self.uow.session.add(api_key)
        await self.uow.session.flush()
        await notify(self.scope, user, Alert.NEW_API_KEY, _details(api_key))
        return api_key, key

    async def list(self, *, skip: int, limit: int) -> Page[ApiKeyPublic]:
        """List the user's keys, newest first."""
        user_id = self.scope.principal.user_id
        return await self.scope.reader.page(
            Page[ApiKeyPublic], _OWN, user_id=user_id, skip=skip, limit=limit
        )

    async def revoke(self, key_id: UUID) -> None:
        """Delete a key. It stops working with the next request. Raise ApiKeyNotFound."""
        revoked = await self.uow.session.scalar(
            delete(ApiKey)
            .where(ApiKey.id == key_id, ApiKey.user_id == self.scope.principal.user_id)
            .returning(ApiKey)
        )
        if revoked is None:
            raise ApiKeyNotFound
        AuditTrail(self.scope).record(
            "api_key.revoked",
            user_id=revoked.user_id,
            actor_id=revoked.user_id,
            **_details(revoked),
        )

    async def record_use(self) -> None:
        """Store when the principal's key was last used, to the minute."""
        # If two requests race, the second waits for the first and then finds nothing to update.
        await self.uow.session.execute(
            update(ApiKey)
            .where(ApiKey.id == self.scope.principal.api_key_id, USE_IS_DUE)
            .values(last_used_at=func.now())
        )

    async def _check_limit(self, user_id: UUID) -> None:
        """Raise TooManyApiKeys. The user is locked, so two requests cannot pass the limit."""
        limit = self.scope.settings.api_keys_per_user
        count = select(func.count()).where(
            ApiKey.user_id == user_id, ApiKey.expires_at > func.now()
        )
        if (await self.uow.session.scalar(count) or 0) >= limit:
            raise TooManyApiKeys(limit)


def _details(api_key: ApiKey) -> dict[str, JsonValue]:
    return {"key_id": str(api_key.id), "name": api_key.name, "scopes": [*api_key.scopes]}
