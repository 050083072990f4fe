"""Operator actions on one job."""

from collections.abc import Mapping
from uuid import UUID

from app.routes.console.actions import Action
from app.routes.pages.notices import Notice
from app.services.operations import JobOperations

JobAction = Action[[JobOperations, UUID]]

ACTIONS: Mapping[str, JobAction] = {
    "retry": Action(
        button="Retry",
        text="The job is retried at once, with all of its tries.",
        notice=Notice.JOB_RETRIED,
        run=JobOperations.retry,
    ),
    "discard": Action(
        button="Discard",
        text="The dead letter is deleted. Its job will never run.",
        notice=Notice.JOB_DISCARDED,
        run=JobOperations.discard,
        dangerous=True,
    ),
    "cancel": Action(
        button="Cancel the job",
        text="A waiting job is removed. A running job is stopped within a second.",
        notice=Notice.JOB_CANCELED,
        run=JobOperations.cancel,
        dangerous=True,
    ),
}
