from uuid import UUID

from fastapi import APIRouter, status

from app.models import User
from app.routes.deps import Limit, Skip, Uow
from app.schemas.fields import Page
from app.schemas.user import UserPublic, UserRegister
from app.services.user_service import UserPage, UserService

router = APIRouter(prefix="/users", tags=["users"])


@router.post("/signup", status_code=status.HTTP_201_CREATED, response_model=UserPublic)
async def register_user(uow: Uow, registration: UserRegister) -> User:
    """Create an account; a welcome e-mail follows."""
    return await UserService(uow).sign_up(registration)


@router.get("/", response_model=Page[UserPublic])
async def read_users(uow: Uow, skip: Skip = 0, limit: Limit = 100) -> UserPage:
    """List users, newest first."""
    return await UserService(uow).list(skip=skip, limit=limit)


@router.get("/{user_id}", response_model=UserPublic)
async def read_user_by_id(uow: Uow, user_id: UUID) -> User:
    return await UserService(uow).get(user_id)
