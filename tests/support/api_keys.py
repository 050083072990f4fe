"""API keys."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.core.resources import Resources
from app.core.security.tokens import hash_token, new_token
from app.models import ApiKey
from app.schemas.role import Permission
from app.services.auth.api_key_service import HINT_LENGTH
from app.services.auth.authentication import API_KEY_PREFIX
from tests.support.accounts import Person


async def create_api_key(
    resources: Resources,
    person: Person,
    *,
    scopes: Sequence[str] = tuple(Permission),
    expired: bool = False,
) -> tuple[UUID, str]:
    """Create a key of a user, and return its id and the key itself."""
    api_key, key = new_api_key(person, scopes=scopes, expired=expired)
    async with resources.unit_of_work() as uow:
        uow.session.add(api_key)
    return api_key.id, key


def new_api_key(
    person: Person, *, scopes: Sequence[str] = tuple(Permission), expired: bool = False
) -> tuple[ApiKey, str]:
    """Return a key of a user as it is stored, and the key itself."""
    key = API_KEY_PREFIX + new_token()
    lifetime = timedelta(days=-1 if expired else 1)
    api_key = ApiKey(
        user_id=person.id,
        name="import",
        key_hash=hash_token(key),
        hint=key[:HINT_LENGTH],
        scopes=list(scopes),
        expires_at=datetime.now(UTC) + lifetime,
    )
    return api_key, key
