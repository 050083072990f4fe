"""A browser without JavaScript: it follows links, fills in forms, and keeps cookies."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx2


@dataclass
class Form:
    """A form of a page with its fields and its errors."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    """The ids that describe each field, such as the id of its error."""

    button: str = ""


class Page(HTMLParser):
    """A page in a browser without JavaScript."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__()
        self.response = response
        self.forms: list[Form] = []
        self._links: list[tuple[str, str]] = []
        self.texts: dict[str, str] = {}
        """The text of each element that has an id."""

        self.text = ""
        self.alerts = ""
        self._open: list[tuple[str, dict[str, str]]] = []
        self.feed(response.text)

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def path(self) -> str:
        return self.response.url.path

    @property
    def links(self) -> dict[str, str]:
        """Return the address of each link, by its text."""
        return {" ".join(text.split()): address for address, text in self._links}

    @property
    def alert(self) -> str:
        """Return the alerts of the page for users of screen readers."""
        return " ".join(self.alerts.split())

    @property
    def title(self) -> str:
        return self.text.strip().splitlines()[0].partition(" · ")[0]

    def form(self, button: str) -> Form:
        """Return the form with a button."""
        found = [form for form in self.forms if form.button == button]
        assert found, f"{self.path} has no button {button}, but {[f.button for f in self.forms]}"
        return found[0]

    def error(self, name: str) -> str:
        """Return the error that describes a field."""
        [form] = [form for form in self.forms if name in form.fields]
        ids = form.descriptions.get(name, "").split()
        assert f"{name}-error" in ids, f"{name} has no error on {self.path}: {self.text}"
        return self.texts[f"{name}-error"].strip()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = attributes.get("action", "")
            self.forms.append(Form(attributes.get("method", "get").upper(), action))
        if tag in {"input", "select", "textarea"} and self.forms:
            self._add_field(attributes)
        if tag == "option" and "selected" in attributes:
            self.forms[-1].fields[[*self.forms[-1].fields][-1]] = attributes["value"]
        if tag == "a":
            self._links.append((attributes["href"], ""))
        if tag not in VOID:
            self._open.append((tag, attributes))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"unexpected </{tag}>"
        opened, _ = self._open.pop()
        assert opened == tag, f"<{opened}> was closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        self.text += data
        for tag, attributes in self._open:
            if name := attributes.get("id"):
                self.texts[name] = self.texts.get(name, "") + data
            if attributes.get("role") in {"alert", "status"}:
                self.alerts += data
            if tag == "textarea":
                self.forms[-1].fields[attributes["name"]] += data
            if tag == "a":
                address, text = self._links[-1]
                self._links[-1] = address, text + data
            if tag == "button":
                self.forms[-1].button = " ".join(f"{self.forms[-1].button}{data}".split())

    def _add_field(self, attributes: dict[str, str]) -> None:
        form = self.forms[-1]
        name = attributes.get("name", "")
        is_choice = attributes.get("type") in {"checkbox", "radio"}
        if not is_choice or "checked" in attributes:
            form.fields[name] = attributes.get("value", "")
        form.descriptions[name] = attributes.get("aria-describedby", "")


VOID = {"meta", "link", "input", "br", "wbr", "img", "hr", "path"}


class PageBrowser:
    """A browser with a current page."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self.client = client
        self.page: Page

    async def open(self, path: str) -> Page:
        return await self._show(await self.client.get(path, follow_redirects=False))

    async def follow(self, link: str) -> Page:
        assert link in self.page.links, f"no link {link} among {[*self.page.links]}"
        return await self.open(urljoin(str(self.page.response.url), self.page.links[link]))

    async def submit(self, button: str, **values: str | Sequence[str]) -> Page:
        """Fill in the form with a button, and send it as our own page does."""
        form = self.page.form(button)
        unknown = values.keys() - form.descriptions.keys()
        assert not unknown, f"the form has no field {unknown}"
        url = urljoin(str(self.page.response.url), form.action)
        origin = f"{self.page.response.url.scheme}://{self.page.response.url.netloc.decode()}"
        headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin"}
        fields = {**form.fields, **values}
        if form.method == "GET":
            return await self._show(await self.client.get(url, params=fields, headers=headers))
        response = await self.client.post(url, data=fields, headers=headers, follow_redirects=False)
        return await self._show(response)

    async def _show(self, response: httpx2.Response) -> Page:
        if response.is_redirect:
            location = urljoin(str(response.url), response.headers["location"])
            return await self.open(location)
        self.page = Page(response)
        return self.page
