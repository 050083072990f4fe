"""The OpenAPI document and its pages. Their files are local, so they need no internet access."""

from copy import deepcopy
from os import PathLike, stat_result
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FILES = Path(__file__).parents[2] / "static/docs"

DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI may run, and may call only this service."""


class Assets(StaticFiles):
    """Files that a browser may cache if it revalidates them."""

    def file_response(
        self,
        full_path: str | PathLike[str],
        stat_result: stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "no-cache"
        return response


def add_docs(app: FastAPI) -> None:
    """Serve the OpenAPI document at /openapi.json, and Swagger UI at /docs."""

    @app.get("/openapi.json", include_in_schema=False)
    async def read_openapi(request: Request) -> JSONResponse:
        return JSONResponse(_below(request.scope.get("root_path", ""), app.openapi()))

    @app.get("/docs", include_in_schema=False)
    async def read_docs() -> FileResponse:
        return FileResponse(FILES / "index.html", headers={"Content-Security-Policy": DOCS_POLICY})

    app.mount("/docs/assets", Assets(directory=FILES))


def _below(prefix: str, openapi: dict[str, Any]) -> dict[str, Any]:
    """Return the document for a service behind a proxy that removes a prefix from paths."""
    if not prefix:
        return openapi
    schemes = deepcopy(openapi["components"].get("securitySchemes", {}))
    for scheme in schemes.values():
        for flow in scheme.get("flows", {}).values():
            flow["tokenUrl"] = prefix + flow["tokenUrl"]
    components = openapi["components"] | {"securitySchemes": schemes}
    return openapi | {"servers": [{"url": prefix}], "components": components}
