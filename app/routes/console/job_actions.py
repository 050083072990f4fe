"""What operators do with one job."""

from collections.abc import Mapping
from uuid import UUID

from app.routes.console.actions import Action
from app.routes.pages.notices import Notice
from app.services.operations import JobOperations

JobAction = Action[[JobOperations, UUID]]

ACTIONS: Mapping[str, JobAction] = {
    "retry": Action(
        button="Retry",
        text="The job gets all of its tries again, the first one at once.",
        notice=Notice.JOB_RETRIED,
        run=JobOperations.retry,
    ),
    "discard": Action(
        button="Discard",
        text="The dead letter is deleted. Its effect will never happen.",
        notice=Notice.JOB_DISCARDED,
        run=JobOperations.discard,
        dangerous=True,
    ),
    "cancel": Action(
        button="Cancel the job",
        text="A job that waits is removed. One that runs is stopped within a second.",
        notice=Notice.JOB_CANCELED,
        run=JobOperations.cancel,
        dangerous=True,
    ),
}
