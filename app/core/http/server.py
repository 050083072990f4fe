"""Serves HTTP with uvicorn in one or several processes until a signal stops them."""

import argparse
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import uvicorn
from fastapi import FastAPI

from app.core.config import load_settings
from app.core.http.protocol import BoundedHttp
from app.core.supervisor import add_processes_option, supervise

GRACE_PERIOD = 20
"""Seconds that running requests have to end after a signal."""

STARTUP_FAILED = 3
"""The exit code of uvicorn in this case."""


def run(app: FastAPI, arguments: Sequence[str] | None = None) -> None:
    """Serve an application at the address of the command line until SIGTERM or SIGINT.

    Return when the running requests have ended.
    """
    options = _parse(arguments)
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        root_path=options.root_path,
        workers=1,  # --processes decides, not WEB_CONCURRENCY
        http=BoundedHttp,
        lifespan="on",
        log_config=None,  # the application has configured the logs, and writes a line per request
        access_log=False,
        proxy_headers=False,  # only TRUSTED_PROXIES decides which proxies to trust
        server_header=False,
        timeout_graceful_shutdown=GRACE_PERIOD,
    )
    if options.processes > 1:
        listener = config.bind_socket()
        serve = partial(_serve, config, [listener])
        longest = load_settings().shutdown_delay + GRACE_PERIOD
        # An open copy of the listener would take connections that no process accepts anymore.
        sys.exit(supervise(serve, options.processes, longest, on_stop=listener.close))
    _serve(config)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve the API until SIGTERM.")
    parser.add_argument("--host", default="127.0.0.1", help="the address (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="0 is a free port (default: 8000)")
    parser.add_argument("--root-path", default="", help="the path prefix of a proxy, like /api")
    add_processes_option(parser)
    return parser.parse_args(arguments)


def _serve(config: uvicorn.Config, sockets: list[socket.socket] | None = None) -> None:
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):  # uvicorn raises it after a clean shutdown by SIGINT
        server.run(sockets)
    if not server.started:
        sys.exit(STARTUP_FAILED)
