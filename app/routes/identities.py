"""The accounts at other providers with which the user can log in."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import Depends, Response

from app.core.http.routing import Router
from app.models import Identity
from app.routes.deps.oidc_cookie import set_oidc_cookie
from app.routes.deps.principals import UserScope, requires_recent
from app.routes.deps.same_origin import SameOrigin
from app.schemas.common import Message
from app.schemas.oidc import LinkIdentity, OwnIdentity, ProviderName, Redirection
from app.services.auth.identity_service import IdentityService
from app.services.auth.oidc_service import OidcService

router = Router(prefix="/users/me/identities", tags=["identities"])


@router.get("", response_model=list[OwnIdentity])
async def read_identities_me(scope: UserScope) -> Sequence[Identity]:
    """List the accounts at providers with which the user can log in."""
    return await IdentityService(scope).list()


@router.post("/{provider}", dependencies=[SameOrigin])
async def link_identity_me(
    scope: UserScope, response: Response, provider: ProviderName, data: LinkIdentity
) -> Redirection:
    """Start to link a provider, and set a cookie. Then redirect the browser to the URL."""
    redirect = await OidcService(scope).begin_link(provider, data)
    set_oidc_cookie(response, redirect)
    return Redirection(authorization_url=redirect.authorization_url)


@router.delete("/{identity_id}", dependencies=[Depends(requires_recent(minutes=5))])
async def unlink_identity_me(scope: UserScope, identity_id: UUID) -> Message:
    """Remove an identity, unless it is the only way to log in."""
    await IdentityService(scope).unlink(identity_id)
    return Message(message="Identity unlinked")
