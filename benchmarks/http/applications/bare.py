"""Starlette and asyncpg with nothing around the routes, close to the limit of Python."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict
from uuid import UUID, uuid4

import asyncpg
import jwt
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

SECRET = os.environ["BENCHMARK_SECRET"]

USER = "id, email, full_name, is_active, is_superuser, created_at"
ITEM = "id, title, description, owner_id, created_at"


class State(TypedDict):
    pool: asyncpg.Pool


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[State]:
    url = os.environ["DATABASE_URL"].replace("+asyncpg", "")
    async with asyncpg.create_pool(url, min_size=10, max_size=15) as pool:
        yield {"pool": pool}


async def health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def read_user(request: Request) -> Response:
    return await user(request, UUID(request.path_params["id"]))


async def read_own_user(request: Request) -> Response:
    return await user(request, user_id_of(request))


async def read_users(request: Request) -> Response:
    skip, limit = paging(request)
    pool: asyncpg.Pool = request.state.pool
    query = f"SELECT {USER} FROM users ORDER BY id DESC OFFSET $1 LIMIT $2"  # noqa: S608
    rows = await pool.fetch(query, skip, limit)
    count = await pool.fetchval("SELECT count(*) FROM users")
    return as_json({"data": [dict(row) for row in rows], "count": count})


async def create_item(request: Request) -> Response:
    given = await request.json()
    row = await request.state.pool.fetchrow(
        f"INSERT INTO items (id, title, description, owner_id) VALUES ($1, $2, $3, $4) "  # noqa: S608
        f"RETURNING {ITEM}",
        uuid4(),
        given["title"],
        given.get("description"),
        user_id_of(request),
    )
    return as_json(dict(row), status=201)


async def read_item(request: Request) -> Response:
    query = f"SELECT {ITEM} FROM items WHERE id = $1 AND owner_id = $2"  # noqa: S608
    item_id = UUID(request.path_params["id"])
    row = await request.state.pool.fetchrow(query, item_id, user_id_of(request))
    return as_json(dict(row)) if row else Response(status_code=404)


async def read_own_items(request: Request) -> Response:
    skip, limit = paging(request)
    pool: asyncpg.Pool = request.state.pool
    owner = user_id_of(request)
    query = f"SELECT {ITEM} FROM items WHERE owner_id = $1 ORDER BY id DESC OFFSET $2 LIMIT $3"  # noqa: S608
    rows = await pool.fetch(query, owner, skip, limit)
    count = await pool.fetchval("SELECT count(*) FROM items WHERE owner_id = $1", owner)
    return as_json({"data": [dict(row) for row in rows], "count": count})


async def user(request: Request, user_id: UUID) -> Response:
    query = f"SELECT {USER} FROM users WHERE id = $1"  # noqa: S608
    row = await request.state.pool.fetchrow(query, user_id)
    return as_json(dict(row)) if row else Response(status_code=404)


def user_id_of(request: Request) -> UUID:
    token = request.headers["authorization"].removeprefix("Bearer ")
    return UUID(jwt.decode(token, SECRET, ["HS256"])["sub"])


def paging(request: Request) -> tuple[int, int]:
    return int(request.query_params.get("skip", 0)), int(request.query_params.get("limit", 100))


def as_json(content: object, status: int = 200) -> Response:
    body = json.dumps(content, default=str)
    return Response(body, status, media_type="application/json")


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/health", health),
        Route("/users/me", read_own_user),
        Route("/users/{id}", read_user),
        Route("/users", read_users),
        Route("/items", create_item, methods=["POST"]),
        Route("/items/{id}", read_item),
        Route("/items", read_own_items),
    ],
)
