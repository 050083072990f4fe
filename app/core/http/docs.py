"""The interactive documentation, served from our own files: it needs no internet."""

from os import PathLike, stat_result
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FILES = Path(__file__).parents[2] / "static/docs"

OUR_FILES_RUN = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI runs, calls this service, and reaches nothing else."""


class Assets(StaticFiles):
    """Files that a browser may keep, as long as it asks whether they are still the same."""

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
    """Serve Swagger UI at /docs, on the app's own OpenAPI."""

    @app.get("/docs", include_in_schema=False)
    async def read_docs() -> FileResponse:
        return FileResponse(
            FILES / "index.html", headers={"Content-Security-Policy": OUR_FILES_RUN}
        )

    app.mount("/docs/assets", Assets(directory=FILES))
