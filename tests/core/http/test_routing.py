from threading import Lock
from typing import Annotated, TypeVar

import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket
from fastapi.exceptions import FastAPIError
from fastapi.routing import APIWebSocketRoute
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema
from starlette.routing import Match
from starlette.types import Scope
from websockets.asyncio.client import connect

from app.core.config import Settings
from app.core.http.lazy_route import LazyRoute, analyze_all
from app.core.http.routing import FlatRoute, RouteIndex, Router, constant, include_flat
from app.core.setup import create_application
from tests.support.service import serve
from tests.support.uvicorn_server import listening


async def kind_of_thing() -> str:
    return "thing"


async def another_kind() -> str:
    return "another"


SomeRouter = TypeVar("SomeRouter", bound=APIRouter)

Kind = Annotated[str, Depends(kind_of_thing)]


def router_with_a_route(kind: type[SomeRouter]) -> SomeRouter:
    router = kind(prefix="/things", tags=["things"])

    @router.get("/{number}")
    async def read_thing(number: int, kind: Kind) -> dict[str, object]:
        return {"number": number, "kind": kind}

    return router


async def test_a_flat_route_works_and_is_documented_like_an_included_one() -> None:
    flat, included = FastAPI(), FastAPI()
    include_flat(flat, router_with_a_route(Router), prefix="/api")
    included.include_router(router_with_a_route(APIRouter), prefix="/api")

    assert isinstance(flat.routes[-1], FlatRoute)
    assert flat.openapi() == included.openapi()
    for app in (flat, included):
        async with serve(app) as client:
            assert (await client.get("/api/things/7")).json() == {"number": 7, "kind": "thing"}
            assert (await client.get("/api/things/seven")).status_code == 422
            assert (await client.post("/api/things/7")).status_code == 405
            assert (await client.get("/api/thing/7")).status_code == 404
            assert (await client.get("/things/7")).status_code == 404


async def test_a_path_is_compared_only_with_those_that_begin_alike() -> None:
    app, compared = FastAPI(openapi_url=None), list[str]()

    class Noted(FlatRoute):
        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            compared.append(self.path)
            return super().matches(scope)

    for name in ("a", "b"):
        include_flat(app, router_with_a_route(Router), prefix=f"/api/{name}")
    for route in app.routes:
        if isinstance(route, FlatRoute):
            route.__class__ = Noted
    app.router.middleware_stack = RouteIndex(app.router)
    async with serve(app) as client:
        assert (await client.get("/api/b/things/7")).status_code == 200
        assert compared == ["/api/b/things/{number}"]
        assert (await client.post("/api/b/things/7")).status_code == 405
        assert (await client.get("/api/c/things/7")).status_code == 404


async def test_a_router_may_have_a_websocket_among_its_routes() -> None:
    app, router, compared = FastAPI(openapi_url=None), Router(prefix="/things"), list[Scope]()

    class Noted(APIWebSocketRoute):
        def matches(self, scope: Scope) -> tuple[Match, Scope]:
            compared.append(scope)
            return super().matches(scope)

    @router.websocket("/live")
    async def follow_things(websocket: WebSocket, kind: Kind) -> None:
        await websocket.accept()
        await websocket.send_text(kind)

    @router.get("/live")
    async def read_things() -> str:
        return "read"

    include_flat(app, router, prefix="/api")
    for route in app.routes:
        if isinstance(route, APIWebSocketRoute):
            route.__class__ = Noted
    app.router.middleware_stack = RouteIndex(app.router)
    async with serve(app) as client:
        assert (await client.get("/api/things/live")).json() == "read"
    assert compared == []

    app.dependency_overrides[kind_of_thing] = another_kind
    async with listening(app) as port, connect(f"ws://127.0.0.1:{port}/api/things/live") as live:
        assert await live.recv() == "another"


async def test_tests_of_a_service_may_override_the_dependencies_of_a_route() -> None:
    app = FastAPI()
    include_flat(app, router_with_a_route(Router))
    app.dependency_overrides[kind_of_thing] = another_kind
    async with serve(app) as client:
        assert (await client.get("/things/7")).json()["kind"] == "another"


async def test_applications_share_a_router_and_not_their_overrides() -> None:
    router, apps = router_with_a_route(Router), [FastAPI() for _ in range(2)]
    for app in apps:
        include_flat(app, router)
    apps[1].dependency_overrides[kind_of_thing] = another_kind

    kinds = []
    for app in apps:
        async with serve(app) as client:
            kinds.append((await client.get("/things/7")).json()["kind"])

    assert kinds == ["thing", "another"]
    assert apps[0].openapi() == apps[1].openapi()


async def test_an_endpoint_is_analyzed_once_at_its_first_request() -> None:
    router, analyzed = Router(), list[type]()

    class Size(int):
        @classmethod
        def __get_pydantic_core_schema__(
            cls, source: type, handler: GetCoreSchemaHandler
        ) -> CoreSchema:
            analyzed.append(source)
            return handler(int)

    @router.get("/boxes/{size}")
    async def read_box(size: Size) -> dict[str, int]:
        return {"size": size}

    app = FastAPI(openapi_url=None)
    include_flat(app, router)
    async with serve(app) as client:
        assert (await client.get("/boxes")).status_code == 404
        assert analyzed == []
        for size in (1, 2):
            assert (await client.get(f"/boxes/{size}")).json() == {"size": size}
    assert analyzed == [Size]


def test_an_endpoint_that_fastapi_does_not_understand_is_found_by_analyzing_all() -> None:
    router, app = Router(), FastAPI()

    @router.get("/boxes")
    async def read_box() -> Lock:  # it has no JSON
        raise NotImplementedError

    include_flat(app, router)

    with pytest.raises(FastAPIError, match="Invalid args for response field"):
        analyze_all(app.routes)


def test_in_development_all_endpoints_are_analyzed_before_the_start(settings: Settings) -> None:
    app = create_application(settings.model_copy(update={"environment": "development"}))

    routes = [route for route in app.routes if isinstance(route, LazyRoute)]
    assert len(routes) > 200
    assert all(route.is_analyzed for route in routes)


async def test_a_constant_endpoint_that_fails_once_is_called_again() -> None:
    router, app, calls = Router(), FastAPI(openapi_url=None), list[int]()

    @router.get("/version")
    @constant
    def read_version() -> dict[str, int]:
        calls.append(len(calls))
        if len(calls) == 1:
            raise ValueError("not yet")
        return {"calls": len(calls)}

    include_flat(app, router)
    async with serve(app) as client:
        with pytest.raises(ValueError, match="not yet"):
            await client.get("/version")
        for _ in range(2):
            assert (await client.get("/version")).json() == {"calls": 2}


async def test_a_router_takes_other_options_from_another_application() -> None:
    router = router_with_a_route(Router)
    plain, described = FastAPI(), FastAPI(responses={418: {"description": "A teapot"}})
    for app in (plain, described):
        include_flat(app, router)

    documented = [app.openapi()["paths"]["/things/{number}"]["get"] for app in (plain, described)]
    assert ["418" in operation["responses"] for operation in documented] == [False, True]


async def test_a_constant_endpoint_is_called_once_and_documented_like_others() -> None:
    router, calls = Router(), list[int]()

    @router.get("/constant")
    @constant
    def read_constant() -> dict[str, int]:
        calls.append(1)
        return {"calls": len(calls)}

    app = FastAPI()
    include_flat(app, router)
    async with serve(app) as client:
        answers = [await client.get("/constant") for _ in range(2)]

    assert [answer.json() for answer in answers] == [{"calls": 1}] * 2
    assert app.openapi()["paths"]["/constant"]["get"]["summary"] == "Read Constant"


async def test_a_path_may_have_any_number_of_segments_where_its_route_says_so() -> None:
    router = Router(prefix="/api/files")

    @router.get("/{name:path}")
    async def read_file(name: str) -> dict[str, str]:
        return {"name": name}

    app = FastAPI(openapi_url=None)
    include_flat(app, router)
    app.router.middleware_stack = RouteIndex(app.router)
    async with serve(app) as client:
        for name in ("a", "a/b/c"):
            assert (await client.get(f"/api/files/{name}")).json() == {"name": name}
