# One image for every process. It runs the API; the workers and the migration replace the command.

ARG PYTHON_IMAGE=python:3.14-slim

FROM ${PYTHON_IMAGE} AS build

# Wheels only: without a wheel for this Python, the build fails here instead of needing a compiler.
ENV UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_NO_BUILD=1 \
    UV_PROJECT_ENVIRONMENT=/opt/venv \
    UV_PYTHON_DOWNLOADS=never

ARG UV_VERSION=0.13.9
RUN pip install --no-cache-dir --root-user-action=ignore "uv==${UV_VERSION}"

WORKDIR /app

# Such as "--extra otel --extra sentry".
ARG EXTRAS=""

# Dependencies come before the code, so that only a change of the lock file reinstalls them.
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    --mount=type=bind,source=uv.lock,target=uv.lock \
    uv sync --locked --no-dev ${EXTRAS}

COPY . .
RUN /opt/venv/bin/python -m compileall -q .


FROM ${PYTHON_IMAGE}

# In production, a container without its secrets refuses to start.
ENV ENVIRONMENT=production \
    PATH="/opt/venv/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app

WORKDIR /app
# Owned by root, so an attacker inside a process cannot change its code.
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app .

# By number, so that Kubernetes can verify runAsNonRoot.
USER 10001:10001

EXPOSE 8000
STOPSIGNAL SIGTERM

# http.client, because urllib would use a proxy that the environment names.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --start-interval=1s --retries=3 \
    CMD ["python", "-c", "from http.client import HTTPConnection as Connection; api = Connection('127.0.0.1', 8000, timeout=3); api.request('GET', '/health/live'); raise SystemExit(api.getresponse().status != 200)"]

CMD ["python", "run_api.py", "--host", "0.0.0.0"]
