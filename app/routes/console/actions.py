"""Action pages, which explain one action and ask for a reason.

GET shows the form, and POST to the same path runs the action. So actions work without JavaScript,
errors appear next to their fields, and the page for a recent proof redirects back to the action.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeVar

from starlette.responses import Response

from app.core.exceptions import NotFound
from app.routes.console.layout import show
from app.routes.pages.notices import Notice
from app.routes.pages.visit import PageVisit
from app.services.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPage:
    """The content of an action page. `back` is the page before it."""

    title: str
    text: str
    button: str
    back: str
    section: str
    dangerous: bool = False


Params = ParamSpec("Params")


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Generic[Params]):
    """An action: the texts of its page, the call that runs it, and the notice of the next page."""

    button: str
    text: str
    notice: Notice
    run: Callable[Params, Awaitable[object]]
    dangerous: bool = False

    def page(self, title: str, *, back: str, section: str) -> ActionPage:
        return ActionPage(
            title=title,
            text=self.text,
            button=self.button,
            dangerous=self.dangerous,
            back=back,
            section=section,
        )


AnyAction = TypeVar("AnyAction")


class UnknownAction(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such action")


def find_action(actions: Mapping[str, AnyAction], name: str) -> AnyAction:
    """Return the action of this name. Raise UnknownAction."""
    if (action := actions.get(name)) is None:
        raise UnknownAction
    return action


def show_action(visit: PageVisit, scope: Scope, page: ActionPage) -> Response:
    return show(visit, scope, "action.html", action=page)
