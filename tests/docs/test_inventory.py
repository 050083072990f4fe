"""docs/inventory.md lists the queues and emails of the service, and no others."""

import re

from app.core.queue import QUEUES
from app.services.emails.composer import FUNCTIONS
from tests.support.servers import ROOT

INVENTORY = (ROOT / "docs/inventory.md").read_text()


def rows(section: str) -> list[list[str]]:
    """Return the cells of a table, without its head and without backquotes."""
    [text] = re.findall(rf"^## {section}$(.*?)(?=^## |\Z)", INVENTORY, re.MULTILINE | re.DOTALL)
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def test_the_inventory_lists_every_queue_with_its_figures() -> None:
    assert [row[:3] for row in rows("Queues")] == [
        [queue.name, str(queue.redis_db), str(queue.concurrency)] for queue in QUEUES
    ]


def test_the_inventory_lists_every_email_with_its_job() -> None:
    listed = {email: job for email, job, _ in rows("Emails")}

    assert listed == {function.__name__: job.__name__ for job, function in FUNCTIONS.items()}
