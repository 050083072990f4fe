"""Rules for every page, in light and dark mode, on a narrow and on a wide screen."""

import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, Response

from tests.pages.browser.conftest import Site, open_tab
from tests.pages.browser.console_tour import console_tour
from tests.pages.browser.tour import tour
from tests.support.reports import Report
from tests.support.servers import ROOT

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
PICTURES = ROOT / ".dev/screenshots"
FIND_VIOLATIONS = """async () => {
  const { violations, passes } = await axe.run(document, { resultTypes: ["violations"] });
  return [passes.length, violations.map(v => `${v.id}: ${v.nodes.map(n => n.html).join(" | ")}`)];
}"""


TOURS = {"account": tour, "console": console_tour}

WIDTHS = [320, 768, 1920]
"""From a small phone to a large screen, in pixels."""

NO_WIDER_THAN_THE_SCREEN = "document.documentElement.scrollWidth <= window.innerWidth"


@pytest.mark.parametrize("walk", TOURS)
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_violation_and_nothing_is_cut_off(  # noqa: PLR0913, PLR0917  as many axes
    chromium: Browser, site: Site, report: Report, scheme: str, width: int, walk: str
) -> None:
    folder = PICTURES / walk / f"{scheme}-{width}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    size = {"width": width, "height": 900}
    rules, number, refused, broken = 0, 0, list[str](), list[str]()
    async with open_tab(chromium, site, color_scheme=scheme, viewport=size) as page:
        page.on("console", lambda message: _collect_refused(message, refused))
        page.on("response", lambda response: _collect_broken(response, broken))
        async for name in TOURS[walk](page, site):
            await picture(page, folder / f"{number:02}-{name}.png")
            await page.evaluate(AXE)
            passed, violations = await page.evaluate(FIND_VIOLATIONS)
            assert violations == [], name
            rules, number = rules + passed, number + 1
    assert (refused, broken) == ([], [])
    report(f"axe: {number} pages, {rules} rules passed, 0 violations; pictures in {folder}")


@pytest.mark.parametrize("walk", TOURS)
async def test_no_page_is_wider_than_the_screen(page: Page, site: Site, walk: str) -> None:
    async for name in TOURS[walk](page, site):
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 900})
            assert await page.evaluate(NO_WIDER_THAN_THE_SCREEN), f"{name} at {width} px"


async def picture(page: Page, path: Path) -> None:
    await page.screenshot(path=path, full_page=True)


def _collect_broken(response: Response, broken: list[str]) -> None:
    """Collect pages with a server error, which axe does not notice."""
    if response.status >= 500:
        broken.append(f"{response.status} {response.url}")


def _collect_refused(message: ConsoleMessage, refused: list[str]) -> None:
    """Collect violations of the Content-Security-Policy."""
    if "Content Security Policy" in message.text:
        refused.append(message.text)
