import pytest

from app.routes.deps.principals import autocommit, one_round_trip


async def test_no_route_commits_a_write_before_it_knows_the_user() -> None:
    async def create_both_ways() -> None:
        """Stand for a route."""

    async def create_otherwise() -> None:
        """Stand for a route."""

    with pytest.raises(ValueError, match="create_both_ways cannot have both"):
        one_round_trip(autocommit(create_both_ways))
    with pytest.raises(ValueError, match="create_otherwise cannot have both"):
        autocommit(one_round_trip(create_otherwise))
