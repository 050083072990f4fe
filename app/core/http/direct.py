"""Calls endpoints as FastAPI does, but only with the steps that each endpoint needs.

On every request, FastAPI analyzes the parameters of the endpoint and prepares for all possible
ones. This takes a quarter of the processor time of a GET. This module analyzes an endpoint once,
when the service starts. It uses the functions of FastAPI for parameters, errors, and responses.
FastAPI itself handles routes with other features, and requests with an unexpected body.
"""

import inspect
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.params import Form
from fastapi.routing import APIRoute, serialize_response
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.core.http.parameters import Errors, Parameters, Values, is_form, is_scalar

OPTIONS = ("include", "exclude", "by_alias", "exclude_unset", "exclude_defaults", "exclude_none")
MAX_FORM_SIZE, MAX_FIELDS = 1 << 20, 1_000
"""In bytes, and the number of fields. Starlette handles larger forms, and refuses most of them."""

TELEMETRY = "fastapi.telemetry"
"""The key in the scope of a request that FastAPI traces. It can trace only its own steps."""


class UnexpectedBody(Exception):
    """The body, or its content type, is not that of the route. FastAPI handles the request."""


class DirectEndpoint:
    """Handles the requests of a route. `fallback` is FastAPI's own application of the route."""

    def __init__(self, route: APIRoute, fallback: ASGIApp) -> None:
        dependant, opens = route.dependant, opens_scope(route)
        self._fallback = fallback
        self._provider = route.dependency_overrides_provider
        self._endpoint = route.endpoint
        self._parameters = Parameters(dependant)
        self._dependencies = [
            (each.name, _awaitable(each), Parameters(each))
            for each in (dependant.dependencies[:-1] if opens else dependant.dependencies)
        ]
        self._scope_name = dependant.dependencies[-1].name if opens else None
        self._open = asynccontextmanager(_call(dependant.dependencies[-1])) if opens else None
        self._read_body = _body_reader(route)
        self._response_name = dependant.response_param_name
        self._field = route.response_field
        self._options = {name: getattr(route, f"response_model_{name}") for name in OPTIONS}
        self._status = route.status_code or 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if TELEMETRY in scope or getattr(self._provider, "dependency_overrides", None):
            await self._fallback(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            body = None if self._read_body is None else await self._read_body(request)
        except UnexpectedBody:
            await self._fallback(scope, _repeat(await request.body()), send)
            return
        response = await self._respond(request, body)
        await response(scope, receive, send)

    async def _respond(self, request: Request, body: object) -> Response:
        values: Values = {}
        errors: Errors = []
        for name, call, parameters in self._dependencies:
            arguments, wrong = parameters.read(request, body)
            errors += wrong
            result = None if wrong else await call(**arguments)
            if name is not None:
                values[name] = result
        if self._open is None:
            return await self._call(request, body, values, errors)
        async with self._open(request) as opened:
            if self._scope_name is not None:
                values[self._scope_name] = opened
            return await self._call(request, body, values, errors)

    async def _call(
        self, request: Request, body: object, values: Values, errors: Errors
    ) -> Response:
        arguments, wrong = self._parameters.read(request, body)
        if errors or wrong:
            raise RequestValidationError([*errors, *wrong], body=body)
        values.update(arguments)
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


def is_direct(route: APIRoute) -> bool:
    """Return whether DirectEndpoint supports all features of a route."""
    dependant, opens = route.dependant, opens_scope(route)
    return (
        inspect.iscoroutinefunction(route.endpoint)
        and route.response_field is not None
        and isinstance(route.response_class, DefaultPlaceholder)
        and route.dependency_overrides_provider is not None
        and route.max_body_size is None
        and not dependant.background_tasks_param_name
        and not dependant.security_scopes_param_name
        and _has_plain_body(route)
        and all(map(_is_plain, dependant.dependencies[:-1] if opens else dependant.dependencies))
        and (not opens or _takes_only_the_request(dependant.dependencies[-1]))
    )


def opens_scope(route: APIRoute) -> bool:
    """Return whether the last dependency is closed before the response is sent."""
    return any(
        each.scope == "function" and inspect.isasyncgenfunction(_function(each))
        for each in route.dependant.dependencies[-1:]
    )


def _has_plain_body(route: APIRoute) -> bool:
    """Return whether the body is one parameter of the endpoint, or a form with single values."""
    dependant = route.dependant
    fields = [f for each in (dependant, *dependant.dependencies) for f in each.body_params]
    if _takes_form(route):
        return all(is_form(field) and is_scalar(field) for field in fields)
    return not fields or (fields == dependant.body_params and fields == [route.body_field])


def _is_plain(dependency: Dependant) -> bool:
    """Return whether a dependency is a coroutine function or a class that takes only parameters.

    FastAPI calls a class in a thread. Storing arguments needs no thread, so this module does not.
    """
    function = _function(dependency)
    return (
        (inspect.isclass(function) or inspect.iscoroutinefunction(function))
        and not dependency.dependencies
        and dependency.concurrency is None
        and not dependency.background_tasks_param_name
        and not dependency.security_scopes_param_name
        and not dependency.response_param_name
    )


def _takes_only_the_request(dependency: Dependant) -> bool:
    names = (dependency.request_param_name, dependency.http_connection_param_name)
    parameters = inspect.signature(_call(dependency)).parameters
    return len(parameters) == 1 and any(parameters.keys() & set(names))


def _function(dependency: Dependant) -> Callable[..., Any]:
    call = _call(dependency)
    is_function = inspect.isroutine(call) or inspect.isclass(call)
    return call if is_function else type(call).__call__


def _call(dependency: Dependant) -> Callable[..., Any]:
    assert dependency.call is not None
    return dependency.call


def _awaitable(dependency: Dependant) -> Callable[..., Awaitable[Any]]:
    call = _call(dependency)
    if not inspect.isclass(call):
        return call

    async def construct(**arguments: object) -> object:
        return call(**arguments)

    return construct


def _takes_form(route: APIRoute) -> bool:
    return route.body_field is not None and isinstance(route.body_field.field_info, Form)


def _body_reader(route: APIRoute) -> Callable[[Request], Awaitable[object]] | None:
    if route.body_field is None:
        return None
    return _read_form if _takes_form(route) else _read_json


async def _read_json(request: Request) -> object:
    body = await _read(request, "application/json")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UnexpectedBody from None


async def _read_form(request: Request) -> object:
    """Parse a form as Starlette does, whose parser calls back for each part of each field."""
    body = await _read(request, "application/x-www-form-urlencoded")
    if len(body) > MAX_FORM_SIZE:
        raise UnexpectedBody
    try:
        fields = parse_qsl(
            body.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise UnexpectedBody from None
    return FormData([*fields])


async def _read(request: Request, content_type: str) -> bytes:
    try:
        body = await request.body()
    except HTTPException:
        raise
    except Exception as error:
        raise HTTPException(400, "There was an error parsing the body") from error
    if not body or request.headers.get("content-type") != content_type:
        raise UnexpectedBody
    return body


def _repeat(body: bytes) -> Receive:
    """Return a `receive` that replays a body that has been read."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
