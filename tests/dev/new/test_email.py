"""The templates of a generated email."""

import pytest
from jinja2 import Environment, StrictUndefined

from dev.new.fields import parse_fields
from dev.new.names import snake_name
from dev.new.render import render

VALUES = {"name": None, "order": "66", "due": None, "link": "https://example.com"}


@pytest.mark.parametrize("form", ["txt", "html"])
def test_what_a_user_or_an_email_lacks_is_left_out(form: str) -> None:
    fields = parse_fields(["order:str", "due:date?"], reserved=set())
    name = snake_name("order_shipped", "the name of an email")
    template = render(f"email/{form}", name=name, fields=fields)
    body = template.replace('{% extends "base.html" %}', "")

    email = Environment(undefined=StrictUndefined, autoescape=True).from_string(body)

    assert "Order: 66" in email.render(VALUES)
    assert "None" not in email.render(VALUES)
    assert "Due: tomorrow" in email.render(VALUES | {"due": "tomorrow"})
