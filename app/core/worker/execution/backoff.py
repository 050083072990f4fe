import random

MAX_DELAY = 3600.0


def backoff(attempt: int, first: float) -> float:
    """Return the delay in seconds after a failed attempt, counted from 1.

    The delay is exponential with full jitter, so that jobs that failed together are not retried
    together (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """
    ceiling = min(MAX_DELAY, first * 2 ** (attempt - 1))
    return random.uniform(0, ceiling)  # noqa: S311  no secret
