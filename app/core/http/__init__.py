"""The layers between the server and the routes: one pure ASGI middleware per module.

None of them uses Starlette's BaseHTTPMiddleware, which creates a task for each request.
"""
