"""Edits find their place in any layout and change nothing else."""

import pytest

from dev.new import source
from dev.new.compose import add_worker
from dev.new.source import AnchorNotFound


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ALL = (A, B)\n", "ALL = (A, B, C)\n"),
        ("ALL: tuple[Q, ...] = (A,)\n", "ALL: tuple[Q, ...] = (A, C,)\n"),
        ('ALL = ["ä", B]  # both\n', 'ALL = ["ä", B, C]  # both\n'),
        ("ALL = (\n    A,\n    B,  # why\n)\n", "ALL = (\n    A,\n    B,  # why\nC,\n)\n"),
    ],
)
def test_an_element_goes_to_the_end_of_its_collection(text: str, expected: str) -> None:
    assert source.add_to_sequence(text, "ALL", "C") == expected


@pytest.mark.parametrize("text", ["", "OTHER = (A,)\n", "ALL = ()\n", "ALL = tuple(B)\n"])
def test_a_collection_that_is_not_there_is_reported(text: str) -> None:
    with pytest.raises(AnchorNotFound, match="ALL"):
        source.add_to_sequence(text, "ALL", "C")


def test_an_entry_goes_to_the_end_of_its_dictionary() -> None:
    text = 'ACCESS = {\n    "read": OWN,  # why\n}\nOTHER = {}\n'

    assert source.add_to_dict(text, "ACCESS", '"write": OWN') == (
        'ACCESS = {\n    "read": OWN,  # why\n"write": OWN,\n}\nOTHER = {}\n'
    )


def test_an_import_goes_below_the_others_even_if_they_span_lines() -> None:
    text = "from a import (\n    b,\n    c,\n)\n\nx = 1\n"

    assert source.add_import(text, "import d") == (
        "from a import (\n    b,\n    c,\n)\nimport d\n\nx = 1\n"
    )


def test_names_are_those_that_a_module_binds() -> None:
    text = "import a.b\nfrom c import d as e\nclass F: ...\nasync def g(): h = 1\ni: int = 1\n"

    assert source.names_in(text) == {"a.b", "e", "F", "g", "i"}


def test_a_worker_goes_below_the_others_in_compose() -> None:
    text = "services:\n  api: {}\n\n  base_worker:\n    image: x\n\n  # the schema\n  migrate: {}\n"

    assert add_worker(text, "  media_worker:\n    image: x\n") == (
        "services:\n  api: {}\n\n  base_worker:\n    image: x\n\n"
        "  # the schema\n  media_worker:\n    image: x\n\n  migrate: {}\n"
    )
