"""Every route of the service with an example request."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import Mount, Route

from app.core.config import Settings
from app.core.setup import create_application
from app.routes.pages.route import PageRoute

OPEN = set((Path(__file__).parent / "open_routes.txt").read_text().splitlines())
"""The routes that work without a login. A new one must be added to this list."""

BODIES: dict[str, object] = {
    # An operation that is not here is sent the example of its body in the OpenAPI document.
    "users-create_user": {"email": "new@example.com", "password": "a fresh battery"},
    "users-register_user": {"email": "new@example.com", "password": "a fresh battery"},
    "users-update_user": {"full_name": "Ada"},
    "users-update_user_me": {"full_name": "Ada"},
    "users-update_password_me": {
        "current_password": "correct horse",
        "new_password": "a fresh battery",
    },
    "api_keys-create_api_key_me": {
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
    "login-reauthenticate": {"password": "correct horse"},
    "login-reset_password": {"token": "x", "new_password": "a fresh battery"},
    "login-verify_email": {"token": "x"},
    "login-login_second_factor": {"token": "x", "code": "123456"},
    "second_factor-begin_second_factor_me": {"current_password": "correct horse"},
    "second_factor-confirm_second_factor_me": {"code": "123456"},
    "second_factor-renew_recovery_codes_me": {"current_password": "correct horse"},
    "second_factor-disable_second_factor_me": {"current_password": "correct horse"},
}
_PASSKEY = {"id": "YQ", "rawId": "YQ", "type": "public-key"}
_ATTESTATION = {"clientDataJSON": "YQ", "attestationObject": "YQ"}
_ASSERTION = {"clientDataJSON": "YQ", "authenticatorData": "YQ", "signature": "YQ"}
BODIES |= {
    "passkeys-rename_passkey_me": {"name": "Phone"},
    "passkeys-register_passkey_me": {
        "state": "x",
        "credential": _PASSKEY | {"response": _ATTESTATION},
    },
    "login-login_passkey": {"state": "x", "credential": _PASSKEY | {"response": _ASSERTION}},
}
_REASON = {"reason": "maintenance"}
BODIES |= {
    "jobs-retry_job": _REASON,
    "jobs-discard_job": _REASON,
    "jobs-cancel_job": _REASON,
    "queues-pause_queue": _REASON,
    "queues-resume_queue": _REASON,
    "queues-limit_queue": _REASON | {"rate": 5, "concurrency": 3},
    "dead_letters-retry_dead_letters": _REASON,
    "dead_letters-discard_dead_letters": _REASON,
    "workers-run_cron": _REASON,
}
QUERIES = {
    "jobs-read_jobs": {"state": "waiting"},
    "personal_data-download_personal_data": {"token": "x"},
    "utils-test_email": {"email_to": "new@example.com"},
}


def all_pages() -> list[tuple[str, str]]:
    """Return the methods and paths of the pages."""
    app = create_application(Settings(_env_file=None, environment="test"))
    return [
        (method, route.path)
        for route in app.routes
        if isinstance(route, PageRoute)
        for method in route.methods or ()
    ]


@dataclass(frozen=True)
class Operation:
    """A method of a path."""

    method: str
    path: str
    id: str
    example: object = field(default=None, compare=False)

    @property
    def body(self) -> object:
        """Return a body that the operation accepts."""
        return BODIES.get(self.id, self.example)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


_APPLICATION = create_application(Settings(_env_file=None, environment="test"))

DOCUMENT = _APPLICATION.openapi()
"""The OpenAPI document, which is generated only here because that takes long."""


def _documented_operations() -> Iterator[Operation]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield Operation(method.upper(), path, operation["operationId"], _example(operation))


def _example(operation: dict[str, Any]) -> object:
    content = operation.get("requestBody", {}).get("content", {})
    reference = content.get("application/json", {}).get("schema", {}).get("$ref", "/")
    schema = DOCUMENT["components"]["schemas"].get(reference.rpartition("/")[2], {})
    return schema.get("examples", [None])[0]


def _undocumented_operations() -> Iterator[Operation]:
    """Yield the routes that the document leaves out. tests/pages/test_access.py has the pages."""
    for route in _APPLICATION.routes:
        documented = isinstance(route, APIRoute) and route.include_in_schema
        if isinstance(route, Route | Mount) and not (documented or isinstance(route, PageRoute)):
            yield Operation("GET", route.path, route.name or "")


DOCUMENTED = sorted(_documented_operations(), key=str)
OPERATIONS = sorted([*DOCUMENTED, *_undocumented_operations()], key=str)
GUARDED = [operation for operation in OPERATIONS if str(operation) not in OPEN]
