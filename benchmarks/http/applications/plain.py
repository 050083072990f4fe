"""FastAPI and the ORM of SQLAlchemy, as in their tutorials."""

import os
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated
from uuid import UUID, uuid4

import jwt
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, ConfigDict
from sqlalchemy import DateTime, func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SECRET = os.environ["BENCHMARK_SECRET"]

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=10, max_overflow=5)
sessions = async_sessionmaker(engine, expire_on_commit=False)
app = FastAPI()


class Base(DeclarativeBase):
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012


class User(Base):
    __tablename__ = "users"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    email: Mapped[str]
    full_name: Mapped[str | None]
    is_active: Mapped[bool]
    is_superuser: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Item(Base):
    __tablename__ = "items"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    title: Mapped[str]
    description: Mapped[str | None]
    owner_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class UserPublic(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    email: str
    full_name: str | None
    is_active: bool
    is_superuser: bool
    created_at: datetime


class UsersPublic(BaseModel):
    data: list[UserPublic]
    count: int


class ItemCreate(BaseModel):
    title: str
    description: str | None = None


class ItemPublic(ItemCreate):
    model_config = ConfigDict(from_attributes=True)

    id: UUID
    owner_id: UUID
    created_at: datetime


class ItemsPublic(BaseModel):
    data: list[ItemPublic]
    count: int


async def open_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(open_session)]
Token = Annotated[str, Depends(OAuth2PasswordBearer("/login"))]


async def read_current_user(session: Session, token: Token) -> User:
    user_id = UUID(jwt.decode(token, SECRET, ["HS256"])["sub"])
    if user := await session.get(User, user_id):
        return user
    raise HTTPException(401)


CurrentUser = Annotated[User, Depends(read_current_user)]


@app.get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@app.get("/users/me", response_model=UserPublic)
async def read_own_user(user: CurrentUser) -> User:
    return user


@app.get("/users/{user_id}", response_model=UserPublic)
async def read_user(session: Session, user_id: UUID) -> User:
    if user := await session.get(User, user_id):
        return user
    raise HTTPException(404)


@app.get("/users", response_model=UsersPublic)
async def read_users(session: Session, skip: int = 0, limit: int = 100) -> object:
    query = select(User).order_by(User.id.desc()).offset(skip).limit(limit)
    users = (await session.scalars(query)).all()
    count = await session.scalar(select(func.count()).select_from(User))
    return {"data": users, "count": count}


@app.post("/items", status_code=201, response_model=ItemPublic)
async def create_item(session: Session, user: CurrentUser, data: ItemCreate) -> Item:
    item = Item(**data.model_dump(), owner_id=user.id)
    session.add(item)
    await session.commit()
    await session.refresh(item)
    return item


@app.get("/items/{item_id}", response_model=ItemPublic)
async def read_item(session: Session, user: CurrentUser, item_id: UUID) -> Item:
    item = await session.get(Item, item_id)
    if item is None or item.owner_id != user.id:
        raise HTTPException(404)
    return item


@app.get("/items", response_model=ItemsPublic)
async def read_own_items(
    session: Session, user: CurrentUser, skip: int = 0, limit: int = 100
) -> object:
    own = select(Item).where(Item.owner_id == user.id)
    items = (await session.scalars(own.order_by(Item.id.desc()).offset(skip).limit(limit))).all()
    count = await session.scalar(select(func.count()).select_from(own.subquery()))
    return {"data": items, "count": count}
