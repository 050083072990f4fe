import pytest

from app.core.resources import Resources


@pytest.fixture
def resources(committing: Resources) -> Resources:
    """Commits that a worker and its sweeper see on connections of their own."""
    return committing
