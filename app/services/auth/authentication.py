"""Authentication: one statement reads the user of a token and all that a request may depend on.

The rows are read on each request, so an ended session, a removed role, and a deactivated user take
effect at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, any_, bindparam, cast, func, null, or_, select

from app.core.config import Settings
from app.core.exceptions import Unauthenticated
from app.core.postgres.reader import Reader, Statement
from app.core.security.access_tokens import read_access_token
from app.core.security.tokens import hash_token
from app.models import ApiKey, Passkey, Role, TotpFactor, User, UserRole, UserSession
from app.services.auth.principal import Principal

API_KEY_PREFIX = "fab_"
"""How people and secret scanners recognize an API key. No access token starts like this."""

USE_PRECISION = timedelta(minutes=1)
"""A busy key costs one write per minute instead of one per request."""

# The driver knows arrays of text. For the type of any other array, each new connection would ask
# PostgreSQL with three more statements, of which one searches the catalog.
_TEXTS = ARRAY(Text)

_PERMISSIONS = (
    select(func.unnest(cast(Role.permissions, _TEXTS)))
    .join(UserRole)
    .where(UserRole.user_id == User.id)
    .scalar_subquery()
)
_PASSKEY = select(Passkey.id).where(Passkey.user_id == User.id)
_TOTP = select(TotpFactor.user_id).where(
    TotpFactor.user_id == User.id, TotpFactor.confirmed_at.is_not(None)
)
_USER = (
    # In the order of the fields of Principal.
    User.id,
    User.email,
    User.full_name,
    User.is_superuser,
    User.created_at,
    User.password_hash.is_not(None),
    _TOTP.exists(),
    _PASSKEY.exists(),
    func.array(_PERMISSIONS),
)

USE_IS_DUE = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at <= func.now() - USE_PRECISION)

# Another statement may be joined with these, so the names of the parameters have a prefix.
_BY_SESSION = (
    select(*_USER, UserSession.id, func.now() - UserSession.proven_at)
    .join(UserSession, UserSession.user_id == User.id)
    .where(
        UserSession.id == bindparam("principal_session_id"),
        UserSession.expires_at > func.now(),
        User.id == bindparam("principal_user_id"),
        User.is_active,
    )
)
_BY_API_KEY = (
    select(*_USER, null(), null(), ApiKey.id, cast(ApiKey.scopes, _TEXTS), USE_IS_DUE)
    .join(ApiKey, ApiKey.user_id == User.id)
    .where(
        ApiKey.key_hash == bindparam("principal_key_hash"),
        ApiKey.expires_at > func.now(),
        User.is_active,
    )
)

_IDS = any_(bindparam("principal_ids", type_=ARRAY(Uuid)))
_BY_SESSIONS = (
    select(*_USER, UserSession.id, func.now() - UserSession.proven_at)
    .join(UserSession, UserSession.user_id == User.id)
    .where(UserSession.id == _IDS, UserSession.expires_at > func.now(), User.is_active)
)
_BY_API_KEYS = (
    select(*_USER, null(), null(), ApiKey.id, ApiKey.scopes)
    .join(ApiKey, ApiKey.user_id == User.id)
    .where(ApiKey.id == _IDS, ApiKey.expires_at > func.now(), User.is_active)
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to find the principal of a token: a statement and its parameters."""

    statement: Statement
    parameters: Mapping[str, object]


def credentials_of(settings: Settings, token: str) -> Credentials:
    """Return the credentials of an access token or an API key. Raise Unauthenticated."""
    if token.startswith(API_KEY_PREFIX):
        return Credentials(_BY_API_KEY, {"principal_key_hash": hash_token(token)})
    claims = read_access_token(settings, token)
    return _of_session(claims.user_id, claims.session_id)


async def authenticate(reader: Reader, settings: Settings, token: str) -> Principal:
    """Return the principal of an access token or an API key.

    Raise Unauthenticated, also if the session or the key has ended, or the user is inactive.
    """
    return await _find(reader, credentials_of(settings, token))


async def authenticate_session(reader: Reader, *, user_id: UUID, session_id: UUID) -> Principal:
    """Return the principal of a session. Raise Unauthenticated if it has ended."""
    return await _find(reader, _of_session(user_id, session_id))


async def refresh_principals(
    reader: Reader, principals: Iterable[Principal]
) -> dict[UUID | None, Principal]:
    """Read many principals again, and return those whose session or API key is still valid.

    The key of the result is the id of the session or of the API key.
    """
    ids = {(each.is_api_key, each.api_key_id or each.session_id) for each in principals}
    current: dict[UUID | None, Principal] = {}
    for of_keys, statement in ((False, _BY_SESSIONS), (True, _BY_API_KEYS)):
        if chosen := [each for is_key, each in ids if is_key is of_keys]:
            for row in await reader.all(statement, principal_ids=chosen):
                principal = Principal(*row)
                current[principal.api_key_id or principal.session_id] = principal
    return current


def _of_session(user_id: UUID, session_id: UUID) -> Credentials:
    parameters = {"principal_session_id": session_id, "principal_user_id": user_id}
    return Credentials(_BY_SESSION, parameters)


async def _find(reader: Reader, credentials: Credentials) -> Principal:
    row = await reader.first(credentials.statement, **credentials.parameters)
    if row is None:
        raise Unauthenticated
    return Principal(*row)
