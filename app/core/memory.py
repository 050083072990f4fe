"""What a process says to Python's garbage collector."""

import gc


def freeze_imports() -> None:
    """Exempt all that exists by now from collections: it stays until the process ends.

    A full collection would look at more than 100,000 objects of libraries, and everything else
    would wait for it for 60 ms. Called once, when all is imported and before any work is done.
    """
    gc.collect()
    gc.freeze()
