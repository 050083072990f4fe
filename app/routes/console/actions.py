"""One page per action: it says what will happen, and asks for the reason.

GET shows the form, and POST to the same path acts. So an action works without JavaScript, an error
appears next to its field, and the confirmation of the user's identity leads back to the action.
"""

from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import BaseModel, StringConstraints
from starlette.responses import Response

from app.routes.console.desk import show
from app.routes.pages.visit import PageVisit
from app.schemas.common import Line
from app.services.scope import Scope

Reason = Annotated[Line, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class ReasonForm(BaseModel):
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPage:
    """What an action page says. `back` is the page behind it."""

    title: str
    text: str
    button: str
    back: str
    section: str
    dangerous: bool = False

    def about(self, name: str) -> "ActionPage":
        """Return the page with a name in its title."""
        return replace(self, title=f"{self.title} {name}")


def show_action(visit: PageVisit, scope: Scope, page: ActionPage) -> Response:
    return show(visit, scope, "action.html", action=page)
