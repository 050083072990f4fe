"""The services of a request, made of what it came with."""

from typing import Annotated

from fastapi import Depends

from app.routes.deps import (
    CurrentCaller,
    OpenResources,
    Superuser,
    SuperuserBeforehand,
    Uow,
)
from app.services.account_service import AccountService
from app.services.admin_service import AdminService
from app.services.api_key_service import ApiKeyService
from app.services.identity_service import IdentityService
from app.services.login_service import LoginService
from app.services.oidc_service import OidcService
from app.services.recovery_service import RecoveryService
from app.services.role_service import RoleService
from app.services.second_factor_service import SecondFactorService
from app.services.second_login_service import SecondLoginService
from app.services.session_service import SessionService
from app.services.signup_service import SignupService


async def get_logins(resources: OpenResources, caller: CurrentCaller) -> LoginService:
    return LoginService(resources, caller)


async def get_second_logins(resources: OpenResources, caller: CurrentCaller) -> SecondLoginService:
    return SecondLoginService(resources, caller)


async def get_second_factors(
    resources: OpenResources, caller: CurrentCaller
) -> SecondFactorService:
    return SecondFactorService(resources, caller)


async def get_api_keys(resources: OpenResources, caller: CurrentCaller) -> ApiKeyService:
    return ApiKeyService(resources, caller)


async def get_accounts(resources: OpenResources, caller: CurrentCaller) -> AccountService:
    return AccountService(resources, caller)


async def get_sessions(uow: Uow, resources: OpenResources, caller: CurrentCaller) -> SessionService:
    return SessionService(uow, resources.settings, caller)


async def get_signups(uow: Uow, resources: OpenResources, caller: CurrentCaller) -> SignupService:
    return SignupService(uow, resources, caller)


async def get_recoveries(
    uow: Uow, resources: OpenResources, caller: CurrentCaller
) -> RecoveryService:
    return RecoveryService(uow, resources, caller)


async def get_administration(
    uow: Uow, resources: OpenResources, caller: CurrentCaller, superuser: SuperuserBeforehand
) -> AdminService:
    return AdminService(uow, resources.settings, caller, superuser.user.id)


async def get_oidc_logins(resources: OpenResources, caller: CurrentCaller) -> OidcService:
    return OidcService(resources, caller)


async def get_identities(uow: Uow, caller: CurrentCaller) -> IdentityService:
    return IdentityService(uow, caller)


async def get_roles(uow: Uow, caller: CurrentCaller, superuser: Superuser) -> RoleService:
    return RoleService(uow, caller, superuser)


Logins = Annotated[LoginService, Depends(get_logins)]
SecondLogins = Annotated[SecondLoginService, Depends(get_second_logins)]
SecondFactors = Annotated[SecondFactorService, Depends(get_second_factors)]
ApiKeys = Annotated[ApiKeyService, Depends(get_api_keys)]
Accounts = Annotated[AccountService, Depends(get_accounts)]
OidcLogins = Annotated[OidcService, Depends(get_oidc_logins)]
Identities = Annotated[IdentityService, Depends(get_identities)]
Sessions = Annotated[SessionService, Depends(get_sessions)]
Signups = Annotated[SignupService, Depends(get_signups)]
Recoveries = Annotated[RecoveryService, Depends(get_recoveries)]
Administration = Annotated[AdminService, Depends(get_administration)]
"""For superusers only, and so is `Roles`."""

Roles = Annotated[RoleService, Depends(get_roles)]
