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
from app.services.login_service import LoginService
from app.services.recovery_service import RecoveryService
from app.services.role_service import RoleService
from app.services.session_service import SessionService
from app.services.signup_service import SignupService


async def get_logins(resources: OpenResources, caller: CurrentCaller) -> LoginService:
    return LoginService(resources, caller)


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


async def get_roles(uow: Uow, caller: CurrentCaller, superuser: Superuser) -> RoleService:
    return RoleService(uow, caller, superuser)


Logins = Annotated[LoginService, Depends(get_logins)]
Accounts = Annotated[AccountService, Depends(get_accounts)]
Sessions = Annotated[SessionService, Depends(get_sessions)]
Signups = Annotated[SignupService, Depends(get_signups)]
Recoveries = Annotated[RecoveryService, Depends(get_recoveries)]
Administration = Annotated[AdminService, Depends(get_administration)]
"""For superusers only, and so is `Roles`."""

Roles = Annotated[RoleService, Depends(get_roles)]
