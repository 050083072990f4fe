"""One page per action: it says what will happen, and asks for the reason.

GET shows the form, and POST to the same path acts. So an action works without JavaScript, an error
appears next to its field, and the confirmation of the user's identity leads back to the action.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeVar

from starlette.responses import Response

from app.core.exceptions import NotFound
from app.routes.console.desk import show
from app.routes.pages.notices import Notice
from app.routes.pages.visit import PageVisit
from app.services.scope import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionPage:
    """What an action page says. `back` is the page behind it."""

    title: str
    text: str
    button: str
    back: str
    section: str
    dangerous: bool = False


Given = ParamSpec("Given")


@dataclass(frozen=True, slots=True, kw_only=True)
class Action(Generic[Given]):
    """What an action page says about an action, what it does, and what the next page says."""

    button: str
    text: str
    notice: Notice
    run: Callable[Given, Awaitable[object]]
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
