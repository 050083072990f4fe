import random

BASE = 2.0
CAP = 600.0


def backoff(attempt: int) -> float:
    """Tell how many seconds to wait after a failed attempt, counted from 1.

    Exponential with full jitter, so that a thousand jobs that failed together do not come back
    together (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """
    return random.uniform(0, min(CAP, BASE * 2 ** (attempt - 1)))  # noqa: S311  no secret
