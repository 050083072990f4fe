"""The measures, by name."""

from collections.abc import Awaitable, Callable

from benchmarks.queue.figures import Figure
from benchmarks.queue.ground import Ground
from benchmarks.queue.measures.backlog import backlog
from benchmarks.queue.measures.commands import commands
from benchmarks.queue.measures.idle import idle
from benchmarks.queue.measures.isolation import isolation
from benchmarks.queue.measures.memory import memory
from benchmarks.queue.measures.naps import naps
from benchmarks.queue.measures.outbox import outbox
from benchmarks.queue.measures.pickup import pickup, pickup_after_rest
from benchmarks.queue.measures.processes import processes
from benchmarks.queue.measures.sending import sending
from benchmarks.queue.measures.throughput import throughput
from benchmarks.queue.rounds import Scale

Measure = Callable[[Ground, Scale], Awaitable[list[Figure]]]

MEASURES: dict[str, Measure] = {
    measure.__name__: measure
    for measure in (
        pickup,
        pickup_after_rest,
        throughput,
        processes,
        naps,
        commands,
        idle,
        isolation,
        backlog,
        sending,
        outbox,
        memory,
    )
}
