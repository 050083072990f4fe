"""The figures, each with its unit and its target."""

from benchmarks.queue.figures import Target, at_most

FIGURES: dict[str, tuple[str, Target | None]] = {
    "jobs due in 30 days: row updates": ("/s", at_most(0)),
    "jobs due in 30 days: WAL": ("kB/s", None),
    "jobs due in 30 days: processor of worker, PostgreSQL, and Redis": ("% of a core", at_most(3)),
    "jobs due in 30 days: Redis memory": ("MiB", at_most(20)),
    "jobs due in 30 days: pickup p99 of others, without them": ("ms", None),
    "jobs due in 30 days: pickup p99 of others, beside them": ("ms", None),
    "jobs due in 30 days: ratio of the two": ("×", at_most(1.5)),
    "jobs due within a minute: start delay, p50": ("ms", at_most(20)),
    "jobs due within a minute: start delay, p99": ("ms", at_most(200)),
    "sender killed: first try after the commit": ("s", at_most(10)),
    "sender killed: after the commit of a 12 s transaction": ("s", at_most(10)),
    "FLUSHALL: first job runs after": ("s", at_most(5)),
    "FLUSHALL: all are back after": ("s", None),
    "held snapshot: length": ("min", None),
    "held snapshot: pickup p99 before": ("ms", None),
    "held snapshot: pickup p99 meanwhile": ("ms", None),
    "held snapshot: ratio of the two": ("×", at_most(2)),
    "held snapshot: statements over 50 ms in the minute before": ("", None),
    "held snapshot: statements over 50 ms": ("", at_most(0)),
    "held snapshot: table and indexes afterwards": ("MiB", None),
    "held snapshot: their growth with the next 10,000 jobs": ("MiB", at_most(1)),
    "one transaction: duration": ("s", at_most(10)),
    "one transaction: another request p99, before": ("ms", None),
    "one transaction: another request p99, meanwhile": ("ms", None),
    "one transaction: ratio of the two": ("×", at_most(2)),
}
