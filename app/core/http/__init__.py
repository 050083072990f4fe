"""What stands between the socket and the routes, one pure ASGI middleware per module.

None is built on Starlette's BaseHTTPMiddleware, which costs each request a task of its own.
"""
