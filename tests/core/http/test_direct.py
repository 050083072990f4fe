from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx2
import pytest
from fastapi import APIRouter, Cookie, Depends, FastAPI, Form, Header, Query, Request, Response
from pydantic import BaseModel

from app.core.http.direct import DirectEndpoint
from app.core.http.routing import Router, include_flat
from tests.support.service import serve

JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


class Thing(BaseModel):
    name: str
    price: float | None = None


class Shelf:
    """A dependency that records how its block ended."""

    def __init__(self) -> None:
        self.endings: list[str] = []

    async def __call__(self, request: Request) -> AsyncIterator[list[str]]:
        try:
            yield [request.url.path]
        except Exception as error:
            self.endings.append(type(error).__name__)
            raise
        self.endings.append("well")


async def check(request: Request) -> str:
    return request.headers.get("x-checked", "no")


class Label:
    """A form of two fields, as a dependency."""

    def __init__(
        self,
        *,
        text: Annotated[str, Form(max_length=5)],
        size: Annotated[int | None, Form()] = None,
    ) -> None:
        self.text = text
        self.size = size


async def weight(request: Request, unit: Annotated[str, Query(max_length=2)] = "kg") -> str:
    if unit == "?":
        raise LookupError
    return f"{request.url.path} in {unit}"


def application(shelf: Shelf, *, direct: bool) -> FastAPI:
    router = Router() if direct else APIRouter()
    opened = Depends(shelf, scope="function")

    @router.post("/things/{number}", status_code=201)
    async def create_thing(  # noqa: PLR0913, PLR0917  every kind of parameter
        checked: Annotated[str, Depends(check)],
        paths: Annotated[list[str], opened],
        response: Response,
        number: int,
        data: Thing,
        limit: int = 3,
        color: Annotated[str | None, Header()] = None,
        mood: Annotated[str | None, Cookie()] = None,
    ) -> list[object]:
        response.headers["Location"] = paths[0]
        if data.name == "late":
            response.status_code = 202
        if data.name == "broken":
            raise LookupError
        return [checked, number, data.model_dump(), limit, color, mood]

    @router.post("/labels")
    async def print_label(
        label: Annotated[Label, Depends()],
        weighed: Annotated[str, Depends(weight)],
        paths: Annotated[list[str], opened],
        color: Annotated[str, Form()] = "white",
    ) -> list[object]:
        return [label.text, label.size, weighed, paths, color]

    app = FastAPI()
    app.add_exception_handler(LookupError, lambda *_: Response("lost", 404))
    if isinstance(router, Router):
        include_flat(app, router)
        assert all(isinstance(getattr(r, "app", None), DirectEndpoint) for r in app.routes[-2:])
    else:
        app.include_router(router)
    return app


async def response_of(
    app: FastAPI,
    *,
    method: str = "POST",
    url: str = "/things/7",
    **rest: Any,  # noqa: ANN401  as of httpx2
) -> tuple[int, httpx2.Headers, bytes]:
    async with serve(app) as client:
        response = await client.request(method, url, **rest)
    return response.status_code, response.headers, response.content


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {"name": "lamp"}, "headers": {"x-checked": "yes", "color": "red"}},
        {"json": {"name": "late", "price": 1.5}, "params": {"limit": "9"}},
        {"json": {"name": "lamp"}, "headers": {"cookie": "mood=good"}, "params": {"limit": "4"}},
        {"json": {}, "url": "/things/seven", "params": {"limit": "many"}},
        {"json": None},
        {"json": ["lamp"]},
        {"json": {"name": "broken"}},
        {"content": b'{"name": "lamp"', "headers": JSON},
        {"content": b'{"name": "lamp"}', "headers": {"content-type": "text/plain"}},
        {"content": b'{"name": "lamp"}', "headers": {"content-type": "application/vnd.x+json"}},
        {"content": b"\xff", "headers": JSON},
        {"content": b"[" * 100_000, "headers": JSON},
        {"content": b'{"name": ' + b"9" * 5_000 + b"}", "headers": JSON},
        {"content": b"", "headers": JSON},
        {"method": "PUT", "json": {"name": "lamp"}},
        {"url": "/labels", "data": {"text": "lamp", "size": "7", "color": "red"}},
        {"url": "/labels", "data": {"text": "lamp", "size": "", "color": "", "other": "1"}},
        {"url": "/labels", "data": {"text": ["lamp", "sofa"]}, "params": {"unit": "lb"}},
        {"url": "/labels", "data": {"text": "lamp"}, "params": {"unit": ""}},
        {"url": "/labels", "data": {"text": "lamp"}, "params": {"unit": "?"}},
        {"url": "/labels", "data": {"text": "", "size": "big"}, "params": {"unit": "many"}},
        {"url": "/labels", "data": {"text": "furniture", "color": "red"}},
        {"url": "/labels", "data": {"text": "lamp"}, "files": {"size": b"7"}},
        {"url": "/labels", "json": {"text": "lamp"}},
        {"url": "/labels", "content": b"", "headers": FORM},
        {"url": "/labels", "content": b"text=a+b%2B&&size&color=%C3%A9=;", "headers": FORM},
        {"url": "/labels", "content": b"text=%ff\xe9&color=%zz&=1&", "headers": FORM},
        {"url": "/labels", "content": b"text=a" + b"&x=" * 1_000, "headers": FORM},
        {"url": "/labels", "content": b"text=a&x=" + b"b" * (1 << 20), "headers": FORM},
        {"url": "/labels", "content": b"text", "headers": FORM},
        {"url": "/labels", "content": b"text=%zz%", "headers": FORM},
        {"url": "/labels", "content": b"text=lamp;size=7", "headers": FORM},
        {"url": "/labels", "content": b"text=\xff", "headers": FORM},
        {"url": "/labels", "content": b"a=&" * 2_000 + b"text=lamp", "headers": FORM},
    ],
)
async def test_a_request_is_answered_as_fastapi_would(request_: dict[str, Any]) -> None:
    ours, theirs = Shelf(), Shelf()
    response = await response_of(application(ours, direct=True), **request_)

    assert response == await response_of(application(theirs, direct=False), **request_)
    assert ours.endings == theirs.endings
