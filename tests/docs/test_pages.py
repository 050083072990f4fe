"""The pages, files, commands, settings, routes, and events in the documents exist."""

import importlib.util
import re
import shutil
import sys
import tomllib
from functools import cache
from pathlib import Path
from uuid import UUID

import pytest

from app.cli import main as app_cli
from app.core.environment import COMPOSE
from dev.docs.__main__ import PAGES
from dev.docs.log_events import log_calls
from dev.docs.settings import entries_of
from tests.routes.operations import OPERATIONS, all_pages
from tests.support.pages import Page, page, pages, words_of_code
from tests.support.servers import ROOT

HISTORY = {"steps-i-to.md", "CHANGELOG.md"}
"""Documents about the past, whose names may no longer exist."""

PRESENT = [page for page in pages() if page.name not in HISTORY]
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}
MADE_LATER = {".env", ".dev/env", ".venv/bin/uvicorn", "uv.lock", ".upstream"}
ELSEWHERE = COMPOSE | {"NO_COLOR", "OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_RESOURCE_ATTRIBUTES"}
"""Variables that docker-compose.yml, a terminal, or the OpenTelemetry library reads."""


@cache
def logged_events() -> set[str]:
    return {call.event for call in log_calls(ROOT)}


@cache
def events_of_audit_trail() -> set[str]:
    return {
        event
        for module in (ROOT / "app").rglob("*.py")
        for event in re.findall(r'"([a-z_]+\.[a-z_]+)"', module.read_text())
    }


every_page = pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
present_page = pytest.mark.parametrize("page", PRESENT, ids=lambda page: page.name)


@every_page
def test_every_link_between_documents_leads_to_a_page_and_a_heading(page: Page) -> None:
    for link in page.links:
        if link.startswith(("https://", "http://")):
            continue
        file, _, heading = link.partition("#")
        target = (page.path.parent / file).resolve() if file else page.path
        assert target.exists(), f"{page.name} links to {link}, which does not exist"
        if heading:
            assert heading in Page(target).anchors_of(), (
                f"{page.name} links to {link}: no such heading"
            )


@every_page
def test_a_table_of_contents_lists_every_section(page: Page) -> None:
    if page.contents:
        assert page.contents == page.anchors_of(2, 3 if page.lists_subsections else 2)


@present_page
def test_every_file_that_a_document_names_exists(page: Page) -> None:
    for name in page.files:
        if name.split("/")[0] in FOLDERS | {""} or "/" not in name:
            known = name in MADE_LATER or name.startswith((".venv/", ".dev/", ".uv/"))
            assert known or any(ROOT.glob(name.rstrip("/"))), f"{page.name} names {name}"


@present_page
def test_every_command_that_a_document_names_exists(page: Page) -> None:
    for command in page.commands:
        for script in re.findall(r"(?:^|(?<=\s))(bin/\w+|run_\w+\.py|main\.py)\b", command):
            assert (ROOT / script).exists(), f"{page.name}: {command}"
        for module in re.findall(r"python3? -m ([\w.]+)", command):
            assert importlib.util.find_spec(module), f"{page.name}: {command}"
        for program in re.findall(r"(?:uv run|\.venv/bin/)\s*([a-z-]+)", command):
            assert shutil.which(program, path=Path(sys.executable).parent), (
                f"{page.name}: {command}"
            )


@present_page
def test_every_option_of_our_commands_is_known_to_them(page: Page) -> None:
    for command in page.commands:
        for script, options in re.findall(r"(?:^|(?<=\s))(bin/\w+)((?: --\w[\w-]*)+)", command):
            source = (ROOT / script).read_text()
            for module in re.findall(r"python\"? -m (dev[\w.]*)", source):
                folder = ROOT / module.replace(".", "/")
                source += next(
                    path.read_text()
                    for path in (folder / "__main__.py", folder.with_suffix(".py"))
                    if path.exists()
                )
            for option in options.split():
                assert option in source, f"{page.name}: {command}"


@present_page
def test_every_command_for_operators_is_understood(
    page: Page, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in page.commands:
        if not (match := re.search(r"python -m app\b([^|#]*)", command)):
            continue
        arguments = (
            match[1].replace("--help", "").replace("$job", "<id>").replace("<id>", str(UUID(int=0)))
        )
        with pytest.raises(SystemExit) as done:
            app_cli([*arguments.split(), "--help"])
        assert done.value.code == 0, f"{page.name}: {command}\n{capsys.readouterr().err}"


@present_page
def test_every_setting_that_a_document_names_exists(page: Page) -> None:
    settings = {entry.name for entry in entries_of((ROOT / ".env.example").read_text())}
    names = [name.removesuffix("_FILE") for name in page.variables]
    named = {re.sub("(QUEUE|OIDC)_[A-Z]+_(?!PROV|LIFE)", r"\1_<NAME>_", name) for name in names}
    assert named <= settings | ELSEWHERE, f"{page.name} names {named - settings - ELSEWHERE}"


@present_page
def test_every_name_of_code_that_a_document_names_exists(page: Page) -> None:
    known = words_of_code() | {
        word for block in page.blocks for word in re.findall(r"\w+", block.text)
    }
    for span in page.spans:
        if match := re.fullmatch(r"(?:self\.)?([A-Z_]*[a-z][\w.]*)(?:\(.*\))?", span):
            unknown = set(match[1].split(".")) - known
            assert not unknown, f"{page.name} names {span}: nothing in the code is called {unknown}"


@present_page
def test_every_route_that_a_document_names_exists(page: Page) -> None:
    served = {(each.method, re.sub(r"\{\w+\}", "{}", each.path)) for each in OPERATIONS}
    served |= {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in all_pages()}
    for method, path in page.routes:
        template = re.sub(r"\{\w+\}|<\w+>", "{}", path)
        methods = {
            m for m, served_path in served if served_path in {template, f"/api/v1{template}"}
        }
        assert methods, f"{page.name} names {path}, which no route serves"
        assert method in methods | {""}, f"{page.name} names {method} {path}"


@present_page
def test_every_log_event_that_a_document_names_exists(page: Page) -> None:
    groups = {event.split(".")[0] for event in logged_events() if "." in event}
    for span in page.spans:
        name = span.split(" ")[0]
        if re.fullmatch(r"[a-z_]+\.[a-z_]+", name) and name.split(".")[0] in groups:
            known = name in logged_events() | events_of_audit_trail() or name.endswith(
                (".py", ".js")
            )
            assert known, f"{page.name} names {name}"


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    assert page(name).text == PAGES[name](ROOT), "run .venv/bin/python -m dev.docs"


def test_the_manual_shows_the_layers_that_the_import_contracts_enforce() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [layers] = [
        contract["layers"]
        for contract in contracts["contracts"]
        if contract.get("containers") == ["app.core"]
    ]
    [shown] = [block.text for block in page("setup.md").blocks if "unit_of_work  " in block.text]

    assert [line.partition("  ")[0] for line in shown.splitlines()] == layers


def test_every_document_is_on_the_front_page_of_the_manual() -> None:
    linked = {link.partition("#")[0] for link in page("setup.md").links}

    assert {each.name for each in pages()} - {"setup.md", "README.md", "AGENTS.md"} <= linked


@pytest.mark.parametrize(("name", "most"), [("README.md", 120), ("AGENTS.md", 60)])
def test_pages_that_everyone_reads_are_short(name: str, most: int) -> None:
    assert len(page(name).text.splitlines()) <= most
