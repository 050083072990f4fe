"""Every route of the service, and what a request of it looks like."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from starlette.routing import Mount, Route

from app.core.config import Settings
from app.core.setup import create_application

OPEN = set((Path(__file__).parent / "open_routes.txt").read_text().splitlines())
"""The routes that answer without a login: whoever adds one adds it there, for all to see."""

BODIES: dict[str, object] = {
    "users-create_user": {"email": "new@example.com", "password": "a fresh battery"},
    "users-register_user": {"email": "new@example.com", "password": "a fresh battery"},
    "users-update_user": {"full_name": "Ada"},
    "users-update_user_me": {"full_name": "Ada"},
    "users-update_password_me": {
        "current_password": "correct horse",
        "new_password": "a fresh battery",
    },
    "api-keys-create_api_key_me": {
        "name": "nightly import",
        "scopes": ["reports:read"],
        "current_password": "correct horse",
    },
    "identities-link_identity_me": {"current_password": "correct horse"},
    "items-create_item": {"title": "A book"},
    "items-update_item": {"title": "A book"},
    "roles-create_role": {"name": "editor"},
    "roles-update_role": {"name": "editor"},
    "reports-request_signup_report": {"days": 7},
    "login-reset_password": {"token": "x", "new_password": "a fresh battery"},
    "login-verify_email": {"token": "x"},
    "login-login_second_factor": {"token": "x", "code": "123456"},
    "second-factor-begin_second_factor_me": {"current_password": "correct horse"},
    "second-factor-confirm_second_factor_me": {"code": "123456"},
    "second-factor-renew_recovery_codes_me": {"current_password": "correct horse"},
    "second-factor-disable_second_factor_me": {"current_password": "correct horse"},
}
QUERIES = {"utils-test_email": {"email_to": "new@example.com"}}


@dataclass(frozen=True)
class Operation:
    """A method of a path."""

    method: str
    path: str
    id: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def all_operations() -> Iterator[Operation]:
    """Yield what the OpenAPI describes, and what it leaves out."""
    app = create_application(Settings(_env_file=None, environment="test"))
    for route in app.routes:
        if isinstance(route, Route | Mount):
            yield Operation("GET", route.path, route.name or "")
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            yield Operation(method.upper(), path, operation["operationId"])


OPERATIONS = sorted(all_operations(), key=str)
GUARDED = [operation for operation in OPERATIONS if str(operation) not in OPEN]
