"""Long-lived responses: they idle most of the time, so they must not count as load."""

from starlette.types import Scope

from app.core.http.admission import Admission
from app.core.http.concurrency import PERMIT, Permit
from app.core.http.exchange import EXCHANGE, Exchange


def begin_streaming(scope: Scope) -> None:
    """Return the permit of a request, and its place among the requests in flight.

    Streams have limits of their own.
    """
    exchange, permit = scope[EXCHANGE], scope.get(PERMIT)
    admission = scope["state"]["admission"]
    assert isinstance(exchange, Exchange)
    assert isinstance(admission, Admission)
    if not exchange.is_stream:
        exchange.is_stream = True
        admission.in_flight -= 1
    if isinstance(permit, Permit):
        permit.give_back()
