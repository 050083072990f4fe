"""The keys with which programs act for the user."""

from typing import Annotated
from uuid import UUID

from fastapi import Form
from starlette.responses import Response

from app.routes.deps.request import Skip
from app.routes.pages.notices import Notice
from app.routes.pages.one_time_secrets import read_secret, set_secret
from app.routes.pages.route import page_router
from app.routes.pages.scopes import AccountScope, ProvenScope
from app.routes.pages.visit import Visit
from app.schemas.api_key import ApiKeyCreate
from app.schemas.role import Permission
from app.services.auth.api_key_service import ApiKeyService

router = page_router()

KEY = "api_key"
PAGE_SIZE = 20
LIFETIMES = {7: "a week", 30: "a month", 90: "three months", 365: "a year"}
"""The choices of the form, in days."""


@router.get("/account/api-keys")
async def show_api_keys(visit: Visit, scope: AccountScope, skip: Skip = 0) -> Response:
    keys = await ApiKeyService(scope).list(skip=skip, limit=PAGE_SIZE)
    return visit.render("api_keys.html", keys=keys, skip=skip, size=PAGE_SIZE)


@router.get("/account/api-keys/new")
async def show_new_key(visit: Visit, scope: ProvenScope) -> Response:
    permissions = [each for each in Permission if scope.principal.may(each)]
    return visit.render("new_api_key.html", permissions=permissions, lifetimes=LIFETIMES)


@router.post("/account/api-keys/new")
async def create_key(
    visit: Visit, scope: ProvenScope, form: Annotated[ApiKeyCreate, Form()]
) -> Response:
    _, key = await ApiKeyService(scope).create(form)
    response = visit.redirect("/account/api-keys/created")
    set_secret(response, visit, scope, name=KEY, secret=key)
    return response


@router.get("/account/api-keys/created")
async def show_created_key(visit: Visit, scope: AccountScope) -> Response:
    key = read_secret(visit, scope, name=KEY)
    if key is None:
        return visit.redirect("/account/api-keys")
    return visit.render("api_key_created.html", key=key)


@router.post("/account/api-keys/{id}/revoke")
async def revoke_key(visit: Visit, scope: ProvenScope, id: UUID) -> Response:  # noqa: A002  in the path
    await ApiKeyService(scope).revoke(id)
    return visit.redirect("/account/api-keys", Notice.KEY_REVOKED)
