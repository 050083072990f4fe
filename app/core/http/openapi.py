"""Additions to FastAPI's OpenAPI document: errors, examples, and names for clients."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.utils import generate_unique_id
from starlette.datastructures import URLPath
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from app.core.exceptions import Forbidden, NotFound, Unauthenticated, Unavailable
from app.core.http.errors import BUSY, response_to
from app.core.http.examples import Examples
from app.core.http.problems import MEDIA_TYPE, FieldError, Problem, ProblemResponse

REFERENCE = {"$ref": "#/components/schemas/Problem"}

Document = dict[str, Any]


class Application(FastAPI):
    """A FastAPI application that documents the errors of every operation, and examples.

    Each error is shown as the response to the failure itself, so the document cannot differ.
    """

    def __init__(
        self,
        *,
        failures: Mapping[Callable[..., object], Sequence[Exception]],
        examples: Examples,
        **options: Any,  # noqa: ANN401  FastAPI's own
    ) -> None:
        super().__init__(
            **options,
            generate_unique_id_function=_operation_id,
            # With a model, FastAPI would create a response field for every route, which is slow.
            responses={"default": {"description": "Any other error"}},
        )
        self._failures = {route.__name__: same for route, same in failures.items()}
        self._examples = examples

    def build_middleware_stack(self) -> ASGIApp:
        """Put this project's layers around the routes, without FastAPI's layers that they replace.

        CrashMiddleware answers 500, BodyLimits limits bodies, TracedRequests traces requests, and
        the routes open the exit stacks that FastAPI's endpoints need.
        """
        app: ASGIApp = ExceptionMiddleware(self.router, handlers=self.exception_handlers)
        for layer, args, options in reversed(self.user_middleware):
            app = layer(app, *args, **options)
        return app

    def url_path_for(self, name: str, /, **path_params: Any) -> URLPath:  # noqa: ANN401  FastAPI's own
        """Return the path of a route. Starlette would try all routes, each with an exception."""
        route = self._named.get(name)
        if route is None:
            return super().url_path_for(name, **path_params)
        return route.url_path_for(name, **path_params)

    @cached_property
    def _named(self) -> dict[str, BaseRoute]:
        named = [route for route in self.routes if isinstance(route, Route)]
        return {route.name: route for route in reversed(named)}

    def openapi(self) -> Document:
        if self.openapi_schema is None:
            document = super().openapi()
            _add_problem(document)
            document = self.openapi_schema = _with_readable_names(document)
            _show_secrets(document["components"]["schemas"])
            for operation in _operations(document):
                route = operation["operationId"].rpartition("-")[2]
                _add_errors(operation, self._failures.get(route, ()))
            self._examples.add_to(document)
        return self.openapi_schema or {}


def _operation_id(route: APIRoute) -> str:
    """Name an operation `tag-function`, because generated clients use it for method names."""
    return f"{route.tags[0]}-{route.name}" if route.tags else generate_unique_id(route)


def _operations(document: Document) -> Iterator[Document]:
    for path in document["paths"].values():
        yield from path.values()


def _add_problem(document: Document) -> None:
    """Add the schema of errors, and the schemas that it refers to."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    for field in schema["properties"].values():
        if "default" in field and field["default"] is None:
            del field["default"]  # FastAPI omits each null, too
    schemas = document["components"]["schemas"] | schema.pop("$defs") | {Problem.__name__: schema}
    document["components"]["schemas"] = dict(sorted(schemas.items()))


def _add_errors(operation: Document, failures: Sequence[Exception]) -> None:
    """Add the errors of a route, and the errors that its parameters imply."""
    responses = operation["responses"]
    for failure in failures:
        _describe(responses, type(failure).__name__, response_to(failure))
    for name, problem in _common_problems(operation):
        _describe(responses, name, problem)
    if "404" not in responses and _has_id(operation):
        _describe(responses, "NotFound", response_to(NotFound("Not found")))
    responses["default"]["content"] = {MEDIA_TYPE: {"schema": REFERENCE}}


def _common_problems(operation: Document) -> Iterator[tuple[str, ProblemResponse]]:
    if operation.get("security"):
        yield "Unauthenticated", response_to(Unauthenticated())
        yield "Forbidden", response_to(Forbidden("The user doesn't have enough privileges"))
    if "requestBody" in operation:
        yield "TooSlow", ProblemResponse(408, "The body took too long to arrive.")
        yield "TooLarge", ProblemResponse(413, "The body is larger than 1048576 bytes.")
    if "requestBody" in operation or "parameters" in operation:
        error = FieldError(loc=["body", "email"], msg="Field required", type="missing")
        yield "InvalidRequest", ProblemResponse(422, "body.email: Field required", errors=[error])
    if "health" not in operation.get("tags", ()):
        yield "Unavailable", response_to(Unavailable(BUSY, cause=""))


def _has_id(operation: Document) -> bool:
    parameters = operation.get("parameters", ())
    return any(it["in"] == "path" and it["schema"].get("format") == "uuid" for it in parameters)


def _describe(responses: dict[str, Document], name: str, problem: ProblemResponse) -> None:
    """Add a problem to the responses of an operation, as an example for its status."""
    shown = json.loads(bytes(problem.body))
    response = responses.setdefault(str(problem.status_code), {"description": ""})
    content = response.setdefault("content", {}).setdefault(MEDIA_TYPE, {"schema": REFERENCE})
    content.setdefault("examples", {})[name] = {"summary": shown["detail"], "value": shown}
    details = dict.fromkeys(each["summary"] for each in content["examples"].values())
    response["description"] = " / ".join(details)


def _with_readable_names(document: Document) -> Document:
    """Give a generic schema the name of its model: `RolesPublic` instead of `Page_RolePublic_`."""
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    for name, title in [(n, schema["title"]) for n, schema in schemas.items() if n.endswith("_")]:
        if title not in schemas:
            text = text.replace(f'schemas/{name}"', f'schemas/{title}"')
            text = text.replace(f'"{name}": {{', f'"{title}": {{')
    renamed: Document = json.loads(text)
    return renamed


def _show_secrets(schemas: Document) -> None:
    """Remove `writeOnly`, because client generators leave such fields out of their types."""
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            for variant in (field, *field.get("anyOf", ())):
                variant.pop("writeOnly", None)
