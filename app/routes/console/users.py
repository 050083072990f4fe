"""The pages of users: a search, and one user with credentials, roles, and actions."""

from typing import Annotated
from uuid import UUID

from fastapi import Form, Query
from starlette.responses import Response

from app.routes.console.access import ProvenSuperuserScope, SuperuserScope
from app.routes.console.actions import find_action, show_action
from app.routes.console.layout import show
from app.routes.console.user_actions import ACTIONS, REMOVALS
from app.routes.deps.request import Skip
from app.routes.pages.notices import Notice
from app.routes.pages.route import page_router
from app.routes.pages.user_agent import device
from app.routes.pages.visit import Visit
from app.schemas.operation import ReasonGiven
from app.services.auth.role_service import RoleService
from app.services.user_access_service import UserAccessService
from app.services.user_service import UserService

router = page_router()

SECTION = "/console/users"
PAGE_SIZE = 50
MAX_ROLES = 100


class RoleForm(ReasonGiven):
    role_id: UUID


@router.get("/console/users")
async def show_users(
    visit: Visit,
    scope: SuperuserScope,
    search: Annotated[str, Query(max_length=255)] = "",
    skip: Skip = 0,
) -> Response:
    users = await UserService(scope).search(search, skip=skip, limit=PAGE_SIZE)
    return show(visit, scope, "users.html", users=users, search=search, skip=skip, size=PAGE_SIZE)


@router.get("/console/users/{user_id}")
async def show_user(visit: Visit, scope: SuperuserScope, user_id: UUID) -> Response:
    access = await UserAccessService(scope).read(user_id)
    actions = {name: each for name, each in ACTIONS.items() if each.applies(access.user)}
    return show(visit, scope, "user.html", access=access, actions=actions, device=device)


@router.get("/console/users/{user_id}/do/{action}")
async def show_user_action(
    visit: Visit, scope: ProvenSuperuserScope, user_id: UUID, action: str
) -> Response:
    found = find_action(ACTIONS, action)
    user = (await UserAccessService(scope).read(user_id)).user
    page = found.page(f"{found.button}: {user.email}", back=_path_of(user_id), section=SECTION)
    return show_action(visit, scope, page)


@router.post("/console/users/{user_id}/do/{action}")
async def act_on_user(
    visit: Visit,
    scope: ProvenSuperuserScope,
    user_id: UUID,
    action: str,
    form: Annotated[ReasonGiven, Form()],
) -> Response:
    found = find_action(ACTIONS, action)
    scope.reason = form.reason
    await found.run(scope, user_id)
    return visit.redirect(SECTION if action == "delete" else _path_of(user_id), found.notice)


@router.get("/console/users/{user_id}/roles")
async def show_roles_to_give(visit: Visit, scope: ProvenSuperuserScope, user_id: UUID) -> Response:
    access = await UserAccessService(scope).read(user_id)
    roles = await RoleService(scope).list(skip=0, limit=MAX_ROLES)
    assigned = {role.id for role in access.roles.data}
    others = [role for role in roles.data if role.id not in assigned]
    return show(visit, scope, "give_role.html", user=access.user, roles=others)


@router.post("/console/users/{user_id}/roles")
async def give_role(
    visit: Visit, scope: ProvenSuperuserScope, user_id: UUID, form: Annotated[RoleForm, Form()]
) -> Response:
    scope.reason = form.reason
    await RoleService(scope).assign(user_id, form.role_id)
    return visit.redirect(_path_of(user_id), Notice.ROLE_GIVEN)


@router.get("/console/users/{user_id}/{kind}/{id}/remove")
async def show_removal(
    visit: Visit,
    scope: ProvenSuperuserScope,
    user_id: UUID,
    kind: str,
    id: UUID,  # noqa: A002, ARG001  in the path
) -> Response:
    found = find_action(REMOVALS, kind)
    user = (await UserAccessService(scope).read(user_id)).user
    page = found.page(f"{found.button} of {user.email}", back=_path_of(user_id), section=SECTION)
    return show_action(visit, scope, page)


@router.post("/console/users/{user_id}/{kind}/{id}/remove")
async def remove(  # noqa: PLR0913, PLR0917  parameters of the path and the form
    visit: Visit,
    scope: ProvenSuperuserScope,
    user_id: UUID,
    kind: str,
    id: UUID,  # noqa: A002  in the path
    form: Annotated[ReasonGiven, Form()],
) -> Response:
    found = find_action(REMOVALS, kind)
    scope.reason = form.reason
    await found.run(scope, user_id, id)
    return visit.redirect(_path_of(user_id), found.notice)


def _path_of(user_id: UUID) -> str:
    return f"{SECTION}/{user_id}"
