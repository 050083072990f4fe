"""What an operator asks of the queues and does to them, whichever way: command line or console.

All of it works on running systems and takes effect within a second or so. What does not answer
raises DatabaseUnavailable or QueueUnavailable, whose `cause` names the server and the cure.
"""

from app.core.control.cancellation import cancel
from app.core.control.decisions import Retried, discard, discard_all, retry, retry_all
from app.core.control.figures import QueueFigures, Throughput, queue_figures
from app.core.control.finding import find_job
from app.core.control.letters import (
    DeadLetter,
    DeadLetterDetails,
    DeadLetterNotFound,
    DeadLetterPage,
    dead_kinds,
    dead_letter,
    dead_letters,
)
from app.core.control.limits import (
    QueueLimits,
    pause,
    queue_limits,
    resume,
    set_concurrency,
    set_rate,
)
from app.core.control.reach import QueueUnavailable, queue_named
from app.core.control.workers import RunningJob, WorkerRecord, live_workers

__all__ = [
    "DeadLetter",
    "DeadLetterDetails",
    "DeadLetterNotFound",
    "DeadLetterPage",
    "QueueFigures",
    "QueueLimits",
    "QueueUnavailable",
    "Retried",
    "RunningJob",
    "Throughput",
    "WorkerRecord",
    "cancel",
    "dead_kinds",
    "dead_letter",
    "dead_letters",
    "discard",
    "discard_all",
    "find_job",
    "live_workers",
    "pause",
    "queue_figures",
    "queue_limits",
    "queue_named",
    "resume",
    "retry",
    "retry_all",
    "set_concurrency",
    "set_rate",
]
