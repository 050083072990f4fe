"""The language checks find forbidden words and nothing else."""

from pathlib import Path

import pytest

from dev.prose.__main__ import findings_in, main
from dev.prose.words import unwanted_name, unwanted_opening, unwanted_words


@pytest.mark.parametrize(
    ("sentence", "word"),
    [
        ("It lets whoever has a key in.", "whoever"),  # prose: a sample
        ("Nobody waits.", "Nobody"),  # prose: a sample
        ("List one's own notes.", "one's own"),  # prose: a sample
        ("An e-mail follows.", "e-mail"),  # prose: a sample
        ("The mail was sent.", "mail"),  # prose: a sample
        ("The first log-in counts.", "log-in"),  # prose: a sample
        ("They want to login again.", "to login"),  # prose: a sample
        ("The process shall end.", "shall"),  # prose: a sample
        ("It waits for\never.", "for\never"),  # prose: a sample
        ("Print in colour.", "colour"),  # prose: a sample
        ("Jobs are serialised.", "serialised"),  # prose: a sample
        ("The job was cancelled.", "cancelled"),  # prose: a sample
        ("Raises NotFound where no job has it.", "Raises NotFound where"),  # prose: a sample
        ("Return None where nothing is stored.", "None where"),  # prose: a sample
        ("The job goes on.", "goes on"),  # prose: a sample
        ("Jobs are given back at once.", "given back"),  # prose: a sample
        ("It puts off the job.", "puts off"),  # prose: a sample
        ("It is read again and again.", "again and again"),  # prose: a sample
        ("A second login is no news.", "is no news"),  # prose: a sample
        ("It came late by a moment.", "by a moment"),  # prose: a sample
    ],
)
def test_an_unwanted_word_is_found(sentence: str, word: str) -> None:
    [(offset, problem)] = unwanted_words(sentence)

    assert sentence[offset:].startswith(word)
    assert problem.startswith(f'"{word}": ')


@pytest.mark.parametrize(
    "sentence",
    [
        "The mail server answers an email.",
        "Run it as `nobody`.",
        "notes: ANYBODY,",
        "Write to nobody@example.com.",
        "Users log in; a login starts a session.",
        "Templates are in app/templates/mail.",
        "The promise otherwise raises an exercise.",
        'The state is "cancelled" or `cancelled`.',
    ],
)
def test_plain_sentences_and_names_of_code_are_left_alone(sentence: str) -> None:
    assert not [*unwanted_words(sentence)]


@pytest.mark.parametrize(
    "opening", ["Tell", "Say", "Have", "Whoever", "Returns", "The", "Our", "On", "If"]
)
def test_a_docstring_must_start_with_an_imperative(opening: str) -> None:
    assert unwanted_opening(f"{opening} the user of the job.")


@pytest.mark.parametrize("opening", ["Return", "Raise", "Send", "Process", "Pass"])
def test_a_docstring_may_start_with_any_other_imperative(opening: str) -> None:
    assert unwanted_opening(f"{opening} the job.") is None


@pytest.mark.parametrize("name", ["mails", "_on_mail", "SendMail", "mail_inbox", "test_mail_flows"])
def test_a_name_says_email_like_every_sentence(name: str) -> None:
    assert unwanted_name(name)


@pytest.mark.parametrize(
    ("name", "term"),
    [
        ("bury", "dead_letter"),
        ("LoginChallenge", "mfa_challenge"),
        ("colours", "American"),
        ("longest_wait", "max"),
        ("SHORTEST_PAUSE", "min"),
        ("_give_back", "release"),
    ],
)
def test_a_name_that_the_field_does_not_use_is_found_with_the_one_that_it_does(
    name: str, term: str
) -> None:
    assert term in (unwanted_name(name) or "")


@pytest.mark.parametrize("name", ["email", "Mailer", "mail_from", "mail_server", "MailCatcher"])
def test_standard_names_are_accepted(name: str) -> None:
    assert unwanted_name(name) is None


def test_the_names_that_a_module_defines_are_checked(tmp_path: Path) -> None:
    module = tmp_path / "mail.py"
    module.write_text(
        "import mail\nclass SendMail:\n"
        "    def send(self, mails): self.mail = mails\n"  # prose: a sample
    )

    assert [finding.split(": ", 2)[1] for finding in findings_in(module)] == [
        '"mail"',
        '"SendMail"',
        '"mails"',
        '"mail"',
    ]


def test_docstrings_comments_messages_and_test_names_are_prose(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""Mails."""\n'  # prose: samples, as below
        "nobody = 'nobody'\n"  # prose: …
        "# For somebody.\n"  # prose: …
        "def test_nobody_waits(): ...\n"
        "def run():\n"
        '    """Return.\n\n    To whoever asks.\n    """\n'  # prose: …
        "    print('whoever you are')\n"  # prose: …
    )

    found = [finding.removeprefix(f"{module}:") for finding in findings_in(module)]

    words = sorted((int(line), word) for line, word, _ in (text.split(":", 2) for text in found))
    assert words == [
        (1, ' "Mails"'),
        (3, ' "somebody"'),
        (4, ' "nobody"'),
        (8, ' "whoever"'),
        (10, ' "whoever"'),
    ]


def test_properties_and_fixtures_may_be_described_as_things(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    described = '    """Hosts that requests may name."""\n'
    module.write_text(
        f"@property\ndef hosts(self):\n{described}"
        f"@pytest.fixture(scope='module')\ndef served():\n{described}"
        f"def read():\n{described}"
    )

    [finding] = findings_in(module)

    assert finding.startswith(f'{module}:8: "Hosts"')


def test_an_exception_needs_a_reason(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text(
        "nobody <!-- prose: a Unix user -->\n"  # prose: a sample
        "nobody <!-- prose: -->\n"  # prose: a sample
        "nobody\n"
    )

    assert [finding.split(":")[1] for finding in findings_in(document)] == ["2", "3"]


def test_the_command_fails_where_it_finds_something(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dev/prose/texts.py"]) == 0
    assert not capsys.readouterr().out
