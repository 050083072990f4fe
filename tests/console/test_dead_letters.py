"""A job changes a group of dead letters, and its page shows the result."""

import pytest

from app.core import control
from app.core.resources import Resources
from app.core.worker.base_settings import WorkerSettings as BaseWorker
from tests.core.control.jobs import Paint, add_dead_letter
from tests.support.page_browser import PageBrowser
from tests.support.workers import RunWorker


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits the worker can see."""
    return committing_resources


@pytest.mark.parametrize(("action", "done"), [("retry", "retried"), ("discard", "discarded")])
async def test_an_operator_changes_a_group_of_dead_letters_and_sees_the_result(
    console: PageBrowser, resources: Resources, run_worker: RunWorker, action: str, done: str
) -> None:
    for error in ("OSError: no paint", "OSError: no brush", "ValueError: no wall"):
        await add_dead_letter(resources, Paint(), error=error)
    await console.open("/console/dead-letters")
    await console.follow(f"{action.capitalize()} all Paint with OSError")
    page = await console.submit(f"{action.capitalize()} 2", reason="the paint has come")
    assert page.alert == "The job has started. This page shows its progress."
    await run_worker(BaseWorker, jobs=1)

    assert f"2 {done}, 0 refused" in (await console.open(page.path)).text
    left = await control.group_dead_letters(resources.sessions)
    assert [(group.error_class, group.count) for group in left] == [("ValueError", 1)]
