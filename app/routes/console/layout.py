"""The layout of console pages, with the sections that the user may open."""

from dataclasses import dataclass

from starlette.responses import Response

from app.routes.pages.visit import PageVisit
from app.schemas.role import Permission
from app.services.auth.principal import Principal
from app.services.scope import Scope


@dataclass(frozen=True, slots=True)
class Section:
    path: str
    label: str
    needs: Permission | None = None
    for_superusers: bool = False

    def is_open_to(self, principal: Principal) -> bool:
        may = self.needs is None or principal.may(self.needs)
        return may and (principal.is_superuser or not self.for_superusers)


SECTIONS = (
    Section("/console", "Overview"),
    Section("/console/jobs", "Jobs"),
    Section("/console/dead-letters", "Dead letters"),
    Section("/console/classes", "Job classes"),
    Section("/console/schedule", "Schedule"),
    Section("/console/enqueue", "Enqueue a job", needs=Permission.MANAGE_JOBS),
    Section("/console/workers", "Workers"),
    Section("/console/users", "Users", for_superusers=True),
    Section("/console/audit", "Audit trail", needs=Permission.READ_AUDIT),
)


def show(visit: PageVisit, scope: Scope, template: str, **values: object) -> Response:
    """Render a page of the console for the user who is logged in."""
    principal = scope.principal
    sections = [section for section in SECTIONS if section.is_open_to(principal)]
    values |= {"principal": principal, "sections": sections, **values_for(principal)}
    return visit.respond(visit.html(f"console/{template}", values))


def permissions_of(principal: Principal) -> list[Permission]:
    """Return the permissions of a user, on which the content of a page depends."""
    return [permission for permission in Permission if principal.may(permission)]


def values_for(principal: Principal) -> dict[str, object]:
    """Return the template values about the user, which every page of the console needs."""
    return {"may": {permission.name: principal.may(permission) for permission in Permission}}
