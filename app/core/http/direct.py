"""Endpoints that are called as FastAPI calls them, but only with the steps that each one needs.

FastAPI finds out on every request what an endpoint takes, and prepares for all that one could take:
a quarter of the processor time of a GET. Here that is found out once, when the service starts.
Parameters, errors, and responses are made by the same functions of FastAPI. It keeps the routes
that take more than is known here, and requests with an unusual body.
"""

import inspect
import json
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import Request, Response
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from fastapi.routing import APIRoute, serialize_response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Values = dict[str, Any]

SOURCES = {
    "query_params": "query_params",
    "header_params": "headers",
    "cookie_params": "cookies",
}
"""The kinds of parameters that may be missing or repeated, and where a request has them."""

OPTIONS = ("include", "exclude", "by_alias", "exclude_unset", "exclude_defaults", "exclude_none")
TELEMETRY = "fastapi.telemetry"
"""In the scope of a request that FastAPI itself traces: it sees each of its own steps."""


class UnusualBody(Exception):
    """A body that is no JSON, or not labeled so: FastAPI knows how to answer it."""


class DirectEndpoint:
    """Answers the requests of a route. `general` is how FastAPI would."""

    def __init__(self, route: APIRoute, general: ASGIApp) -> None:
        takes, opens = route.dependant, opens_scope(route)
        self._general = general
        self._provider = route.dependency_overrides_provider
        self._endpoint = route.endpoint
        self._checks = takes.dependencies[:-1] if opens else takes.dependencies
        self._scope_name = takes.dependencies[-1].name if opens else None
        self._open = asynccontextmanager(_call(takes.dependencies[-1])) if opens else None
        kinds = [(getattr(takes, kind), source) for kind, source in SOURCES.items()]
        self._parameters = [(fields, source) for fields, source in kinds if fields]
        self._path = [(field, ("path", field.alias)) for field in takes.path_params]
        self._body = takes.body_params[0] if takes.body_params else None
        self._request_name = takes.request_param_name or takes.http_connection_param_name
        self._response_name = takes.response_param_name
        self._field = route.response_field
        self._options = {name: getattr(route, f"response_model_{name}") for name in OPTIONS}
        self._status = route.status_code or 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if TELEMETRY in scope or getattr(self._provider, "dependency_overrides", None):
            await self._general(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            body = None if self._body is None else await _read_json(request)
        except UnusualBody:
            await self._general(scope, _repeat(await request.body()), send)
            return
        response = await self._answer(request, body)
        await response(scope, receive, send)

    async def _answer(self, request: Request, body: object) -> Response:
        values: Values = {}
        for check in self._checks:
            result = await _call(check)(request)
            if check.name is not None:
                values[check.name] = result
        if self._open is None:
            return await self._call(request, body, values)
        async with self._open(request) as opened:
            if self._scope_name is not None:
                values[self._scope_name] = opened
            return await self._call(request, body, values)

    async def _call(self, request: Request, body: object, values: Values) -> Response:
        self._add_parameters(request, body, values)
        if self._request_name is not None:
            values[self._request_name] = request
        given: Response | None = None
        if self._response_name is not None:
            given = values[self._response_name] = Response()
            del given.headers["content-length"]
            given.status_code = 0
        result = await self._endpoint(**values)
        if isinstance(result, Response):
            return result
        content = await serialize_response(
            field=self._field, response_content=result, dump_json=True, **self._options
        )
        status = (given and given.status_code) or self._status
        response = Response(content, status, media_type="application/json")
        if given is not None:
            response.headers.raw.extend(given.headers.raw)
        return response

    def _add_parameters(self, request: Request, body: object, values: Values) -> None:
        """Raise RequestValidationError that names all that are invalid."""
        errors: list[Any] = []
        for field, place in self._path:
            given = request.path_params.get(place[1])
            values[field.name], wrong = field.validate(given, values, loc=place)
            errors += wrong
        for fields, source in self._parameters:
            found, wrong = request_params_to_args(fields, getattr(request, source))
            values.update(found)
            errors += wrong
        if self._body is not None:
            values[self._body.name], wrong = self._body.validate(body, values, loc=("body",))
            errors += wrong
        if errors:
            raise RequestValidationError(errors, body=body)


def is_direct(route: APIRoute) -> bool:
    """Return whether all that a route takes and returns is known here."""
    takes, body = route.dependant, route.dependant.body_params
    return (
        inspect.iscoroutinefunction(route.endpoint)
        and route.response_field is not None
        and isinstance(route.response_class, DefaultPlaceholder)
        and route.dependency_overrides_provider is not None
        and route.max_body_size is None
        and not takes.background_tasks_param_name
        and not takes.security_scopes_param_name
        and (not body or (route.body_field is body[0] and not isinstance(body[0].field_info, Form)))
        and all(map(_takes_the_request, takes.dependencies))
        and all(map(_is_coroutine, takes.dependencies[: -1 if opens_scope(route) else None]))
    )


def opens_scope(route: APIRoute) -> bool:
    """Return whether the last dependency is open while the endpoint runs, and no longer."""
    return any(
        each.scope == "function" and inspect.isasyncgenfunction(_function(each))
        for each in route.dependant.dependencies[-1:]
    )


def _takes_the_request(dependency: Dependant) -> bool:
    """Return whether a dependency has one parameter, which is the request."""
    names = (dependency.request_param_name, dependency.http_connection_param_name)
    parameters = inspect.signature(_call(dependency)).parameters
    return len(parameters) == 1 and any(parameters.keys() & set(names))


def _is_coroutine(dependency: Dependant) -> bool:
    return inspect.iscoroutinefunction(_function(dependency))


def _function(dependency: Dependant) -> Callable[..., Any]:
    call = _call(dependency)
    return call if inspect.isroutine(call) else type(call).__call__


def _call(dependency: Dependant) -> Callable[..., Any]:
    assert dependency.call is not None
    return dependency.call


async def _read_json(request: Request) -> object:
    try:
        body = await request.body()
    except HTTPException:
        raise
    except Exception as error:
        raise HTTPException(400, "There was an error parsing the body") from error
    if not body or request.headers.get("content-type") != "application/json":
        raise UnusualBody
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UnusualBody from None


def _repeat(body: bytes) -> Receive:
    """Return a `receive` that replays a body that has been read."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
