# One image for every process: the API by default; the workers and the migration replace the command.

FROM python:3.14-slim AS build

# Wheels only: a dependency that has none for this Python stops the build here instead of asking for a compiler.
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_BUILD=1 \
    UV_PROJECT_ENVIRONMENT=/opt/venv \
    UV_PYTHON_DOWNLOADS=never

ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir --root-user-action=ignore "uv==${UV_VERSION}"

WORKDIR /app

# Before the code, so that only a change of the lock file installs them again.
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    --mount=type=bind,source=uv.lock,target=uv.lock \
    uv sync --locked --no-dev

COPY . .
RUN /opt/venv/bin/python -m compileall -q .


FROM python:3.14-slim

# ENVIRONMENT: a container without its secrets refuses to start instead of running on the examples.
ENV ENVIRONMENT=production \
    PATH="/opt/venv/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app

WORKDIR /app
# Owned by root: a process that is broken into can't change the code it runs.
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app .

# By number, so that Kubernetes can see that it isn't root (runAsNonRoot).
USER 10001:10001

EXPOSE 8000
STOPSIGNAL SIGTERM

# http.client and not urllib, which would ask a proxy set in the environment.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --start-interval=1s --retries=3 \
    CMD ["python", "-c", "from http.client import HTTPConnection as Connection; api = Connection('127.0.0.1', 8000, timeout=3); api.request('GET', '/health/live'); raise SystemExit(api.getresponse().status != 200)"]

# Heads have bounds (app/core/http/protocol.py), and only the app says which proxies it trusts (TRUSTED_PROXIES).
# The app logs its requests itself. A lifespan that fails ends the process, and requests in flight get 20 s to finish.
CMD ["uvicorn", "main:app", "--host", "0.0.0.0", "--port", "8000", "--http", "app.core.http.protocol:BoundedHttp", "--no-proxy-headers", "--lifespan", "on", "--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "20"]
