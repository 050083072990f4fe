from typing import Annotated

from pydantic import JsonValue

from app.core.broker.sensitive import HIDDEN, Sensitive, hide_sensitive, redact
from app.core.queue import BASE, Job


class ChargeCard(Job, queue=BASE):
    amount: int
    card: Annotated[str, Sensitive]
    notes: Annotated[list[str], Sensitive()]


PAYLOAD: dict[str, JsonValue] = {"amount": 5, "card": "4000-0000", "notes": ["it's private"]}


def test_a_marked_argument_is_hidden_and_the_others_are_shown() -> None:
    hidden = hide_sensitive(ChargeCard, PAYLOAD)

    assert hidden == {"amount": 5, "card": HIDDEN, "notes": HIDDEN}


def test_every_argument_of_an_unknown_job_is_hidden() -> None:
    assert hide_sensitive(None, PAYLOAD) == dict.fromkeys(PAYLOAD, HIDDEN)


def test_an_error_that_quotes_a_marked_argument_is_redacted() -> None:
    text = "ValueError: cannot charge 4000-0000, not even it's private, 5 times"

    assert redact(text, ChargeCard, PAYLOAD) == (
        f"ValueError: cannot charge {HIDDEN}, not even {HIDDEN}, 5 times"
    )
