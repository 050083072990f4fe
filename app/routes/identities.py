from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, Response

from app.models import Identity
from app.routes.deps import CurrentPrincipal, PrincipalBeforehand
from app.routes.oidc_cookie import set_oidc_cookie
from app.routes.services import Identities, OidcLogins
from app.schemas.fields import Message
from app.schemas.oidc import LinkIdentity, OwnIdentity, Redirection

router = APIRouter(prefix="/users/me/identities", tags=["identities"])


@router.get("", response_model=list[OwnIdentity])
async def read_identities_me(
    identities: Identities, principal: CurrentPrincipal
) -> Sequence[Identity]:
    """List the accounts elsewhere by which one can log in."""
    return await identities.list(principal.user.id)


@router.post("/{provider}")
async def link_identity_me(
    logins: OidcLogins,
    principal: PrincipalBeforehand,
    response: Response,
    provider: str,
    wish: LinkIdentity,
) -> Redirection:
    """Begin to link a provider. Send the browser, which now has a cookie, to the address."""
    beginning = await logins.begin_link(principal, provider, wish)
    set_oidc_cookie(response, beginning)
    return Redirection(authorization_url=beginning.authorization_url)


@router.delete("/{identity_id}")
async def unlink_identity_me(
    identities: Identities, principal: CurrentPrincipal, identity_id: UUID
) -> Message:
    """Take a way in away, unless it is the only one."""
    await identities.unlink(principal.user.id, identity_id)
    return Message(message="Identity unlinked")
