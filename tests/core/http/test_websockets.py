"""Websockets work with the dependencies of any other route."""

from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter, WebSocket
from sqlalchemy import func, select
from structlog.testing import capture_logs
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from app.core.exceptions import NotFound
from app.core.resources import Resources
from app.models import User
from app.routes.deps.principals import UserScope
from app.routes.deps.request import Skip
from tests.support.accounts import create_user
from tests.support.service import build_service, with_settings
from tests.support.uvicorn_server import listening
from tests.support.waiting import logged, wait_until

routes = APIRouter()


@routes.websocket("/users")
async def count_users(websocket: WebSocket, scope: UserScope, skip: Skip = 0) -> None:
    await websocket.accept()
    async for word in websocket.iter_text():
        if word == "missing":
            raise NotFound("No such user")
        count = await scope.uow.session.scalar(select(func.count()).select_from(User))
        await websocket.send_text(f"{scope.principal.user_id} {word} {(count or 0) - skip}")


@pytest.fixture
async def port(resources: Resources) -> AsyncIterator[int]:
    production = with_settings(resources, environment="production")
    async with listening(build_service(production, routes)) as port:
        yield port


OURS = "ws://service.example.com/users"
FOREIGN = "ws://foreign.example.com/users"


def open_websocket(url: str, port: int, headers: dict[str, str]) -> connect:
    return connect(url, host="127.0.0.1", port=port, additional_headers=headers)


async def test_a_websocket_has_the_scope_of_a_user(port: int, resources: Resources) -> None:
    ada = await create_user(resources)
    with capture_logs() as lines:
        async with open_websocket(f"{OURS}?skip=1", port, ada.headers) as websocket:
            await websocket.send("hello")
            assert await websocket.recv() == f"{ada.id} hello 0"
        await wait_until(lambda: logged(lines, "request.finished"))

    [line] = [line for line in lines if line["event"] == "request.finished"]
    assert (line["method"], line["route"], line["status"]) == ("WEBSOCKET", "/users", 101)


@pytest.mark.parametrize(
    ("url", "headers", "status"),
    [
        (OURS, {}, 401),
        (OURS, {"Authorization": "Bearer forged"}, 401),
        (FOREIGN, {}, 400),
        (f"{OURS}?skip=many", None, 422),
    ],
    ids=["no token", "a forged token", "a foreign host", "an invalid parameter"],
)
async def test_a_websocket_is_rejected_with_a_problem(
    port: int, resources: Resources, url: str, headers: dict[str, str] | None, status: int
) -> None:
    ada = await create_user(resources)
    with pytest.raises(InvalidStatus) as rejection:
        async with open_websocket(url, port, ada.headers if headers is None else headers):
            pass

    response = rejection.value.response
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert f'"status":{status}'.encode() in response.body


async def test_a_failure_closes_an_open_websocket_with_its_reason(
    port: int, resources: Resources
) -> None:
    ada = await create_user(resources)
    async with open_websocket(OURS, port, ada.headers) as websocket:
        await websocket.send("missing")
        with pytest.raises(ConnectionClosedError) as closed:
            await websocket.recv()

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "No such user")
