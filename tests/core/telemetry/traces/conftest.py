from collections.abc import Iterator

import pytest

from app.core.resources import Resources
from dev.trace_collector import TraceCollector


@pytest.fixture
def collector() -> Iterator[TraceCollector]:
    with TraceCollector().running() as collector:
        yield collector


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits other connections see."""
    return committing_resources
