"""Serves the API on a socket that bin/dev keeps open: `python -m dev.serve FD`.

A restart for new code therefore refuses no connection, and no other process can take the port.
"""

import socket
import sys

import uvicorn

from app.core.http.protocol import BoundedHttp

GRACE = 1
"""Seconds in which requests in flight may end."""

if __name__ == "__main__":
    config = uvicorn.Config(
        "main:app", http=BoundedHttp, proxy_headers=False, timeout_graceful_shutdown=GRACE
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
