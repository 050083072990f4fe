from uuid import UUID, uuid4

import pytest
from pydantic_core import to_json

from app.core import control
from app.core.broker.keys import QueueKeys
from app.core.job_store.record import JobState
from app.core.queue import BASE, EMAIL
from app.core.resources import Resources
from app.schemas.jobs import BuildSignupReport, SendWelcomeEmail
from tests.cli.results import RunCommand
from tests.core.control.jobs import add_dead_letter, enqueue, job_of

USER = UUID("01a20770-1730-72d1-8501-80ebf2a58613")


async def test_dead_letters_are_listed(resources: Resources, run_command: RunCommand) -> None:
    older = await add_dead_letter(
        resources, BuildSignupReport(), error="OSError: " + "no paper " * 30
    )
    newer = await add_dead_letter(
        resources, SendWelcomeEmail(user_id=USER), error="Refused:\nno\tsuch box"
    )

    answer = await run_command("jobs", "dead", COLUMNS="100")

    assert (answer.code, answer.errors) == (0, "")
    header, first, second, total = answer.output.splitlines()
    assert header.split() == ["ID", "KIND", "AGE", "ERROR"]
    assert first.split()[:3] == [str(newer), "SendWelcomeEmail", "0s"]
    assert first.endswith("Refused: no such box")
    assert second.startswith(f"{older}  BuildSignupReport ")
    assert (second[-1], len(second)) == ("…", 100)
    assert total == "1-2 of 2"


async def test_dead_letters_are_listed_by_queue_kind_and_page(
    resources: Resources, run_command: RunCommand
) -> None:
    report = await add_dead_letter(resources, BuildSignupReport())
    email = await add_dead_letter(resources, SendWelcomeEmail(user_id=USER))

    by_queue = await run_command("jobs", "dead", "email", "--json")
    assert ([each["id"] for each in by_queue.json["data"]], by_queue.json["count"]) == (
        [str(email)],
        1,
    )
    by_kind = await run_command("jobs", "dead", "--kind", "BuildSignupReport", "--json")
    assert [each["id"] for each in by_kind.json["data"]] == [str(report)]
    page = await run_command("jobs", "dead", "--limit", "1", "--offset", "1")
    assert str(report) in page.output
    assert "2-2 of 2" in page.output
    beyond = await run_command("jobs", "dead", "--offset", "2")
    assert beyond.output == "There are no more dead letters.\n"
    assert (await run_command("jobs", "dead", "letters")).code == 1


async def test_an_empty_list_of_dead_letters_is_no_failure(run_command: RunCommand) -> None:
    answer = await run_command("jobs", "dead")

    assert (answer.code, answer.output) == (0, "There are no dead letters.\n")


async def test_a_dead_letter_is_shown_with_all_its_details(
    resources: Resources, run_command: RunCommand
) -> None:
    job_id = await add_dead_letter(
        resources, BuildSignupReport(days=7), key="nightly", error="OSError: full"
    )

    shown = (await run_command("jobs", "show", str(job_id))).output

    facts = dict(line.split(maxsplit=1) for line in shown.partition("\n\n")[0].splitlines())
    assert (facts["id"], facts["kind"], facts["state"]) == (
        str(job_id),
        "BuildSignupReport",
        "failed",
    )
    assert (facts["tries"], facts["crashes"], facts["key"]) == ("3", "1", "nightly")
    assert (facts["payload"], facts["error"]) == ('{"days":7}', "OSError: full")
    assert facts["finished"].endswith("UTC (0s ago)")
    assert shown.endswith("\n\nTraceback: …\n")

    details = (await run_command("jobs", "show", str(job_id), "--json")).json
    assert details["job"]["state"] == "failed"
    assert details["dead_letter"]["payload"] == {"days": 7}


async def test_a_waiting_job_is_shown(resources: Resources, run_command: RunCommand) -> None:
    job_id = await enqueue(resources, BuildSignupReport())

    details = (await run_command("jobs", "show", str(job_id), "--json")).json

    assert (details["job"]["state"], details["dead_letter"]) == ("queued", None)


async def test_a_job_that_is_tried_again_is_shown_with_its_last_error(
    resources: Resources, run_command: RunCommand
) -> None:
    job_id = await enqueue(resources, BuildSignupReport())
    for number, error in enumerate(("OSError", "TimeoutError"), start=1):
        ended = 1_795_000_000_000 + number
        failure = [job_id, "BuildSignupReport", number, "retried", ended, 0.1, None, error, None]
        await resources.queues[BASE].zadd(QueueKeys(BASE).failures, {to_json(failure): number})

    shown = (await run_command("jobs", "show", str(job_id))).output

    assert "error      TimeoutError in try 2, 2026-11-18 " in shown
    assert "OSError" not in shown


@pytest.mark.parametrize("action", ["show", "retry", "discard", "cancel"])
async def test_an_unknown_job_exits_with_code_1_and_one_sentence(
    run_command: RunCommand, action: str
) -> None:
    job_id = str(uuid4())

    answer = await run_command("jobs", action, job_id)

    assert (answer.code, answer.output) == (1, "")
    [complaint] = answer.errors.splitlines()
    assert job_id in complaint


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "seven"),
        ("retry",),
        ("discard", str(USER), "--all", "SendWelcomeEmail"),
        ("dead", "--limit", "-1"),
        (),
    ],
)
async def test_an_invalid_command_line_exits_with_code_2(
    run_command: RunCommand, arguments: tuple[str, ...]
) -> None:
    answer = await run_command("jobs", *arguments)

    assert (answer.code, answer.output) == (2, "")
    assert "usage: python -m app jobs" in answer.errors


async def test_a_dead_letter_is_retried(resources: Resources, run_command: RunCommand) -> None:
    job_id = await add_dead_letter(resources, SendWelcomeEmail(user_id=USER))

    answer = await run_command("jobs", "retry", str(job_id))

    assert (answer.code, answer.output) == (0, f"Retried: SendWelcomeEmail {job_id}.\n")
    assert await resources.queues[EMAIL].zscore(QueueKeys(EMAIL).queue, str(job_id)) is not None


async def test_all_of_a_kind_are_retried_and_the_remaining_ones_are_reported(
    resources: Resources, run_command: RunCommand
) -> None:
    for _ in range(2):
        await add_dead_letter(resources, SendWelcomeEmail(user_id=USER))

    answer = await run_command("jobs", "retry", "--all", "SendWelcomeEmail")
    assert (answer.code, answer.output) == (0, "Retried: 2 of SendWelcomeEmail.\n")

    await add_dead_letter(resources, BuildSignupReport(), key="nightly")
    await enqueue(resources, BuildSignupReport(), key="nightly")
    answer = await run_command("jobs", "retry", "--all", "BuildSignupReport", "--json")
    assert (answer.code, answer.json) == (1, {"retried": 0, "left": 1})
    assert answer.errors.startswith("Not retried: 1 of BuildSignupReport")


async def test_dead_letters_are_discarded_and_counted(
    resources: Resources, run_command: RunCommand
) -> None:
    emails = [await add_dead_letter(resources, SendWelcomeEmail(user_id=USER)) for _ in range(3)]

    one = await run_command("jobs", "discard", str(emails[0]))
    assert (one.code, one.output) == (0, f"Discarded: SendWelcomeEmail {emails[0]}.\n")
    rest = await run_command("jobs", "discard", "--all", "SendWelcomeEmail")
    assert (rest.code, rest.output) == (0, "Discarded: 2 of SendWelcomeEmail.\n")
    assert (await control.list_dead_letters(resources.sessions)).count == 0


async def test_for_a_class_without_dead_letters_the_classes_that_have_some_are_named(
    resources: Resources, run_command: RunCommand
) -> None:
    await add_dead_letter(resources, SendWelcomeEmail(user_id=USER))

    for action in ("retry", "discard"):
        answer = await run_command("jobs", action, "--all", "SendMail")
        assert (answer.code, answer.output) == (1, "")
        kinds = "There are: SendWelcomeEmail (1)"
        assert answer.errors == f"There is no dead letter of the kind 'SendMail'. {kinds}\n"


async def test_canceling_as_json_returns_the_previous_state(
    resources: Resources, run_command: RunCommand
) -> None:
    job_id = await enqueue(resources, SendWelcomeEmail(user_id=USER))

    answer = await run_command("jobs", "cancel", str(job_id), "--json")

    assert answer.json == {"id": str(job_id), "was": "queued"}


async def test_a_job_is_canceled_once(resources: Resources, run_command: RunCommand) -> None:
    job_id = await enqueue(resources, SendWelcomeEmail(user_id=USER))

    answer = await run_command("jobs", "cancel", str(job_id))
    sentence = f"SendWelcomeEmail {job_id} was queued: it will not run.\n"
    assert (answer.code, answer.output) == (0, sentence)
    assert (await job_of(resources, job_id)).state is JobState.CANCELLED

    again = await run_command("jobs", "cancel", str(job_id))
    assert (again.code, again.output) == (1, "")
    assert again.errors == f"The job {job_id} cannot be canceled: it is already canceled\n"
