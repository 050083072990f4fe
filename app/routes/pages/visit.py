"""A browser's request for a page, and the possible responses: a page and a redirect."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request, status
from fastapi.requests import HTTPConnection
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.core.config import Settings
from app.routes.deps.request import resources_of
from app.routes.pages.cookies import SESSION, delete_cookie, read_cookie, set_cookie
from app.routes.pages.notices import Notice, notice_named
from app.routes.pages.submission import Submission
from app.schemas.role import Permission
from app.services.auth.principal import Principal

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""A page loads only files of this service, submits forms only to it, and runs no inline script."""

NOTICE = "notice"
NOTICE_LIFETIME = 60
"""In seconds. The next page shows the notice."""


class PageVisit:
    def __init__(self, request: HTTPConnection) -> None:
        self.request = request
        self.settings: Settings = resources_of(request).settings

    @property
    def submission(self) -> Submission:
        """The failed submission that this page shows again, if there is one."""
        submission = getattr(self.request.state, "submission", None)
        return submission if isinstance(submission, Submission) else Submission()

    def show_problem(self, failure: Exception) -> None:
        """Show a failure as the problem of the page's form."""
        values = self.submission.values
        self.request.state.submission = Submission(values, problem=f"{failure}.")

    def url(self, path: str) -> str:
        """Return a path with the prefix that a proxy may have removed."""
        prefix: str = self.request.scope.get("root_path", "")
        return prefix.rstrip("/") + path

    def render(
        self, template: str, *, status_code: int = status.HTTP_200_OK, **values: object
    ) -> HTMLResponse:
        return self.respond(self.html(template, values), status_code)

    def html(self, template: str, values: Mapping[str, object]) -> str:
        # A process that serves no page does not load Jinja.
        from app.routes.pages.templates import templates  # noqa: PLC0415

        notice = notice_named(self._notice)
        return templates.get_template(template).render(
            values,
            url=self.url,
            service=self.request.app.title,
            settings=self.settings,
            form=self.submission,
            notice=notice and notice.value,
            may_create_reports=self._may(Permission.CREATE_REPORTS),
        )

    def respond(self, html: str, status_code: int = status.HTTP_200_OK) -> HTMLResponse:
        """Return a page as a response, and delete the notice that it has shown."""
        response = HTMLResponse(html, status_code, {"Content-Security-Policy": POLICY})
        if notice_named(self._notice) is not None:
            delete_cookie(response, self.settings, NOTICE)
        self._keep_session(response)
        return response

    def _keep_session(self, response: Response) -> None:
        """Extend the cookie's lifetime if this visit has extended the session."""
        expires_at = getattr(self.request.state, "session_expires_at", None)
        cookie = read_cookie(self.settings, self.request.cookies, SESSION)
        if isinstance(expires_at, datetime) and cookie is not None:
            max_age = int((expires_at - datetime.now(UTC)).total_seconds())
            set_cookie(response, self.settings, SESSION, cookie, max_age=max_age)

    def _may(self, permission: Permission) -> bool:
        principal = getattr(self.request.state, "principal", None)
        return isinstance(principal, Principal) and principal.may(permission)

    @property
    def _notice(self) -> str | None:
        return read_cookie(self.settings, self.request.cookies, NOTICE)

    def redirect(self, path: str, notice: Notice | None = None) -> Response:
        """Redirect with GET, so that reload and the back button do not repeat a POST.

        The next page shows the notice once.
        """
        response = self.redirect_to_url(self.url(path))
        if notice is not None:
            set_cookie(response, self.settings, NOTICE, notice.name, max_age=NOTICE_LIFETIME)
        return response

    def redirect_to_url(self, url: str) -> Response:
        """Redirect with GET to a URL, which may be on another site."""
        return RedirectResponse(url, status.HTTP_303_SEE_OTHER)


async def open_visit(request: Request) -> PageVisit:
    return PageVisit(request)


Visit = Annotated[PageVisit, Depends(open_visit)]
