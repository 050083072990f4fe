"""Builds an application, so that the copies of this process reuse what FastAPI found out."""

from app.core.config import Settings
from app.core.setup import create_application

create_application(Settings(_env_file=None, environment="test"))
