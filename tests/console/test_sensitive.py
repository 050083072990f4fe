"""No page of the console shows an argument that its class marks as sensitive."""

from typing import Annotated

from app.core.broker.sensitive import Sensitive
from app.core.job_store import outbox
from app.core.queue import BASE, Job, to_message
from app.core.resources import Resources
from app.core.worker.execution.dead_letters import dead_letter
from tests.console.access import ACCESS, path_of
from tests.support.accounts import Person
from tests.support.page_browser import PageBrowser

SECRET = "4000-0000-0000-0002"


class BillCustomer(Job, queue=BASE):
    card: Annotated[str, Sensitive]


async def test_no_page_shows_a_sensitive_argument(
    console: PageBrowser, resources: Resources, ada: Person
) -> None:
    message = to_message(BillCustomer(card=SECRET), durable=True)
    async with resources.sessions.begin() as session:
        await outbox.store(session, [message])
    await dead_letter(resources, message, 1, ValueError(f"the card {SECRET} has expired"))
    await console.open("/console/enqueue/BillCustomer")
    await console.submit("Enqueue", reason="again", **{"field-card": SECRET})
    waiting = console.page.path
    parts = {"user_id": ada.id, "id": ada.session_id, "job_id": message.id}

    pages = [path_of(page, parts) for page in ACCESS if page.startswith("GET")]
    pages += [waiting, "/console/enqueue/BillCustomer", "/console/dead-letters?kind=BillCustomer"]
    shown = {path: (await console.client.get(path)).text for path in pages}

    assert [path for path, text in shown.items() if SECRET in text] == []
    assert "the card ••• has expired" in shown[f"/console/jobs/{message.id}"]
