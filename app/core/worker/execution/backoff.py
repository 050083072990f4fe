import random

LONGEST = 3600.0


def backoff(attempt: int, first: float) -> float:
    """Return how many seconds to wait after a failed attempt, counted from 1.

    Exponential with full jitter, so that a thousand jobs that failed together do not come back
    together (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """
    ceiling = min(LONGEST, first * 2 ** (attempt - 1))
    return random.uniform(0, ceiling)  # noqa: S311  no secret
