"""Streams: they idle most of the time, so they do not count as load."""

from starlette.types import Scope

from app.core.http.admission import Admission
from app.core.http.concurrency import PERMIT, Permit
from app.core.http.exchange import EXCHANGE, Exchange


def begin_streaming(scope: Scope) -> None:
    """Release the permit of a request, and stop counting it as in flight.

    Streams have their own limits.
    """
    exchange, permit = scope[EXCHANGE], scope.get(PERMIT)
    admission = scope["state"]["admission"]
    assert isinstance(exchange, Exchange)
    assert isinstance(admission, Admission)
    if not exchange.is_stream:
        exchange.is_stream = True
        admission.in_flight -= 1
    if isinstance(permit, Permit):
        permit.release()
