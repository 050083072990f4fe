"""A server closes the connection of a request at any moment, and the caller learns of it."""

import httpx2
import pytest

from app.core.outgoing import sending_requests
from tests.support.ports import resetting_server


@pytest.mark.parametrize("turns", range(4))
async def test_a_connection_that_ends_at_once_is_an_error_of_the_connection(turns: int) -> None:
    with resetting_server(turns) as port:
        async with httpx2.AsyncClient(verify=False) as client:
            with pytest.raises(httpx2.TransportError), sending_requests():
                await client.get(f"http://127.0.0.1:{port}")


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(AttributeError, match="no attribute 'name'"), sending_requests():
        object().name  # type: ignore[attr-defined]  # noqa: B018
