"""Operator queries and actions on queues and jobs, for every interface.

Actions work on a running system and take effect within about a second. If a server does not
respond, they raise DatabaseUnavailable or QueueUnavailable, whose `cause` names the server and the
cure.
"""

from app.core.control.bulk import (
    BulkAction,
    BulkResult,
    DeadLetterGroup,
    OnlyDeadLetters,
    change_dead_letters,
    group_dead_letters,
)
from app.core.control.cancellation import JobEnded, cancel
from app.core.control.dead_letters import (
    DeadLetter,
    DeadLetterDetails,
    DeadLetterNotFound,
    DeadLetterPage,
    count_dead_letters,
    get_dead_letter,
    list_dead_letters,
)
from app.core.control.details import JobDetails, job_details
from app.core.control.diagnostics import collect_server_warnings, collect_warnings
from app.core.control.found_jobs import (
    FoundJob,
    FoundJobs,
    InvalidArgument,
    InvalidCursor,
    JobFilter,
    JobView,
    SearchTooBroad,
    SensitiveArgument,
    UnknownArguments,
    arguments_of,
)
from app.core.control.job_classes import (
    Histograms,
    JobClass,
    JobClassDetails,
    JobClassNotFound,
    JobField,
    get_job_class,
    job_class_details,
    list_job_classes,
)
from app.core.control.limits import (
    QueueLimits,
    pause,
    queue_limits,
    resume,
    set_concurrency,
    set_rate,
)
from app.core.control.lookup import JobNotFound, find_job
from app.core.control.overview import (
    Overview,
    QueueOverview,
    Throughput,
    UnknownQueue,
    overview,
    queue_overview,
)
from app.core.control.queues import QueueNotFound, QueueUnavailable, find_queue
from app.core.control.retries import discard, retry
from app.core.control.row_counts import Count
from app.core.control.schedule import CronNotFound, CronStatus, list_crons, run_cron_now
from app.core.control.search import search_jobs
from app.core.control.workers import (
    CronRecord,
    RunningJob,
    WorkerRecord,
    all_live_workers,
    live_workers,
)
from app.core.job_store.activity import Activity, ActivitySummary, Histogram, Percentiles
from app.core.job_store.tries import RecordedTry

__all__ = [
    "Activity",
    "ActivitySummary",
    "BulkAction",
    "BulkResult",
    "Count",
    "CronNotFound",
    "CronRecord",
    "CronStatus",
    "DeadLetter",
    "DeadLetterDetails",
    "DeadLetterGroup",
    "DeadLetterNotFound",
    "DeadLetterPage",
    "FoundJob",
    "FoundJobs",
    "Histogram",
    "Histograms",
    "InvalidArgument",
    "InvalidCursor",
    "JobClass",
    "JobClassDetails",
    "JobClassNotFound",
    "JobDetails",
    "JobEnded",
    "JobField",
    "JobFilter",
    "JobNotFound",
    "JobView",
    "OnlyDeadLetters",
    "Overview",
    "Percentiles",
    "QueueLimits",
    "QueueNotFound",
    "QueueOverview",
    "QueueUnavailable",
    "RecordedTry",
    "RunningJob",
    "SearchTooBroad",
    "SensitiveArgument",
    "Throughput",
    "UnknownArguments",
    "UnknownQueue",
    "WorkerRecord",
    "all_live_workers",
    "arguments_of",
    "cancel",
    "change_dead_letters",
    "collect_server_warnings",
    "collect_warnings",
    "count_dead_letters",
    "discard",
    "find_job",
    "find_queue",
    "get_dead_letter",
    "get_job_class",
    "group_dead_letters",
    "job_class_details",
    "job_details",
    "list_crons",
    "list_dead_letters",
    "list_job_classes",
    "live_workers",
    "overview",
    "pause",
    "queue_limits",
    "queue_overview",
    "resume",
    "retry",
    "run_cron_now",
    "search_jobs",
    "set_concurrency",
    "set_rate",
]
