"""Serve the API on a socket that bin/dev keeps open: `python -m dev.serve FD`.

So a restart rejects no connection, and no other process can take the port.
"""

import socket
import sys

import uvicorn

from app.core.http.protocol import BoundedHttp

GRACE = 1
"""Seconds that requests in flight have to finish."""

if __name__ == "__main__":
    config = uvicorn.Config(
        "main:app", http=BoundedHttp, proxy_headers=False, timeout_graceful_shutdown=GRACE
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[1]))])
