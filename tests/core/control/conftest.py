import pytest

from app.core.resources import Resources


@pytest.fixture
def resources(committing_resources: Resources) -> Resources:
    """Resources whose commits a worker and its outbox relay can see."""
    return committing_resources
