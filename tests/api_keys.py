"""Keys of programs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from app.core.resources import Resources
from app.core.tokens import hash_token, new_token
from app.models import ApiKey
from app.schemas.role import Permission
from app.services.api_key_service import HINT_LENGTH, PREFIX
from tests.accounts import Person


async def an_api_key(
    resources: Resources,
    person: Person,
    *,
    scopes: Sequence[str] = tuple(Permission),
    expired: bool = False,
) -> tuple[UUID, str]:
    """Create a key of a person, without the time that hashing a password takes."""
    key = PREFIX + new_token()
    lifetime = timedelta(days=-1 if expired else 1)
    api_key = ApiKey(
        user_id=person.id,
        name="import",
        key_hash=hash_token(key),
        hint=key[:HINT_LENGTH],
        scopes=list(scopes),
        expires_at=datetime.now(UTC) + lifetime,
    )
    async with resources.unit_of_work() as uow:
        uow.session.add(api_key)
    return api_key.id, key
