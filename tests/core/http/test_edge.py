"""The outermost layer leaves no garbage behind."""

import gc
import weakref
from collections.abc import Iterator

import pytest
from starlette.types import Message, Scope

from app.core.resources import Resources
from tests.support.accounts import create_user
from tests.support.service import build_service


class Exchanged:
    """A request on the server's side: its scope, and the function that sends the response."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.status = 0

    async def receive(self) -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Message) -> None:
        self.status = message.get("status", self.status)


@pytest.fixture
def without_garbage_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_garbage_collector")
@pytest.mark.parametrize(
    "path", ["/health/live", "/api/v1/users/me", "/api/v1/users/{id}", "/nowhere"]
)
async def test_a_request_that_has_ended_is_freed_without_the_garbage_collector(
    resources: Resources, path: str
) -> None:
    """Otherwise, the process would grow by a third under load."""
    ada = await create_user(resources, "ada")
    path = path.format(id=ada.id)
    app = build_service(resources)
    async with app.router.lifespan_context(app) as state:
        request = Exchanged(
            {
                "type": "http",
                "method": "GET",
                "path": path,
                "raw_path": path.encode(),
                "query_string": b"",
                "headers": [(b"authorization", f"Bearer {ada.access_token}".encode())],
                "client": ("127.0.0.1", 50_000),
                "server": ("test", 80),
                "scheme": "http",
                "root_path": "",
                "state": dict(state or {}),
            }
        )
        await app(request.scope, request.receive, request.send)
        assert request.status == (404 if path == "/nowhere" else 200)
        remaining = weakref.ref(request)
        del request

        assert remaining() is None
