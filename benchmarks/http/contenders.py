"""The contenders: how each is started, and how each is asked for the same."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from urllib.parse import urlencode

ROOT = Path(__file__).parents[2]
OURS, BARE, PLAIN, PREVIOUS = "ours", "bare", "plain", "previous"
SECRET = token_urlsafe(48)


@dataclass(frozen=True)
class Request:
    """A request to several paths in turns. `{n}` in its body is a new number each time."""

    method: str
    paths: Sequence[str]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


@dataclass(frozen=True)
class Contender:
    """An application and the environment in which it runs."""

    name: str
    app: str
    folder: Path
    variables: Mapping[str, str]
    server_options: Sequence[str] = ()

    @property
    def python(self) -> str:
        """Return the interpreter of the checkout, or the current one if it has none."""
        own = self.folder / ".venv/bin/python"
        return str(own) if own.exists() else sys.executable

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of its processes. They load bytecode, as in production.

        Without it, each start would compile all sources, and keep the memory that this takes.
        """
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return inherited | dict(self.variables)

    @property
    def is_the_service(self) -> bool:
        return self.name in {OURS, PREVIOUS}


@dataclass(frozen=True)
class People:
    """The tokens and ids that requests contain."""

    member_token: str
    superuser_token: str
    user_ids: Sequence[str]
    item_ids: Sequence[str]


def service(name: str, folder: Path, database_url: str, redis_url: str) -> Contender:
    """Return the service of a checkout, with production settings."""
    variables = {
        "ENVIRONMENT": "production",
        "SECRET_KEY": SECRET,
        "PUBLIC_URL": "http://127.0.0.1",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "ACCESS_TOKEN_LIFETIME": "86400",
        "THROTTLE_LOGINS": "1000000,1000000,1000000",
        "THROTTLE_SIGNUPS": "1000000,1000000,1000000",
    }
    options = ["--http", "app.core.http.protocol:BoundedHttp", "--no-proxy-headers"]
    return Contender(name, "main:app", folder, variables, options)


def neighbor(name: str, database_url: str) -> Contender:
    """Return one of the two small applications, on the same database."""
    variables = {"BENCHMARK_SECRET": SECRET, "DATABASE_URL": database_url}
    return Contender(name, f"benchmarks.http.applications.{name}:app", ROOT, variables)


def requests_to(contender: Contender, people: People) -> dict[str, Request]:
    """Return the requests of each measure, by its name."""
    return _to_service(people) if contender.is_the_service else _to_neighbor(people)


def _to_service(people: People) -> dict[str, Request]:
    api = "/api/v1"
    form = {"content-type": "application/x-www-form-urlencoded"}
    member, root = _bearer(people.member_token), _bearer(people.superuser_token)
    new_user = json.dumps({"email": "new{n}@example.com", "password": PASSWORD})
    return {
        "health": Request("GET", ["/health/live"]),
        "own user": Request("GET", [f"{api}/users/me"], member),
        "one user": Request("GET", [f"{api}/users/{n}" for n in people.user_ids], root),
        "list 100 users": Request("GET", [f"{api}/users/?limit=100"], root),
        "create an item": Request("POST", [f"{api}/items/"], member | JSON, ITEM),
        "read an item": Request("GET", [f"{api}/items/{n}" for n in people.item_ids], member),
        "own items": Request("GET", [f"{api}/items/?limit=100"], member),
        "enqueue": Request("POST", [f"{api}/reports/signups"], root | JSON, '{"days": 7}'),
        "sign up": Request("POST", [f"{api}/users/signup"], JSON, new_user),
        "log in": Request("POST", [f"{api}/login/access-token"], form, login_of(VISITOR)),
    }


def _to_neighbor(people: People) -> dict[str, Request]:
    member = _bearer(people.member_token)
    return {
        "health": Request("GET", ["/health"]),
        "own user": Request("GET", ["/users/me"], member),
        "one user": Request("GET", [f"/users/{n}" for n in people.user_ids]),
        "list 100 users": Request("GET", ["/users?limit=100"]),
        "create an item": Request("POST", ["/items"], member | JSON, ITEM),
        "read an item": Request("GET", [f"/items/{n}" for n in people.item_ids], member),
        "own items": Request("GET", ["/items?limit=100"], member),
    }


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


JSON = {"content-type": "application/json"}
ITEM = json.dumps({"title": "A title", "description": "What it is about"})
PASSWORD = "a fresh battery staple"  # noqa: S105  of invented users
EMAIL = "member@example.com"
VISITOR = "visitor@example.com"
"""The user of the measured logins, which end the oldest sessions of their user."""


def login_of(email: str) -> str:
    """Return the form with which a user logs in."""
    return urlencode({"username": email, "password": PASSWORD})
