"""A sign-up on arq as in its manual: commit, then enqueue."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from arq import ArqRedis, create_pool
from arq.connections import RedisSettings
from fastapi import Body, FastAPI, Request
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from app.core.config import load_settings
from app.core.database import create_engine
from app.core.queue import EMAIL
from app.core.redis import queue_address
from app.models import User


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = load_settings()
    app.state.engine = create_engine(settings)
    app.state.redis = await create_pool(RedisSettings.from_dsn(queue_address(EMAIL, settings).url))
    yield
    await app.state.redis.aclose()
    await app.state.engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.get("/health/live")
async def live() -> None: ...


@app.post("/api/v1/users/signup", status_code=201)
async def sign_up(request: Request, email: Annotated[str, Body(embed=True)]) -> Response:
    redis: ArqRedis = request.app.state.redis
    try:
        async with AsyncSession(request.app.state.engine) as session, session.begin():
            session.add(User(email=email, password_hash="-", full_name="Ada"))
    except IntegrityError:
        return Response(status_code=409)
    await redis.enqueue_job("send_welcome_email", email)
    return Response(status_code=201)
