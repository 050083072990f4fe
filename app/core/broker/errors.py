"""The text of any error, with a limited length, and storable in PostgreSQL and Redis."""

import traceback

MAX_MESSAGE = 1_000
MAX_TRACEBACK = 10_000


def error_message(error: BaseException) -> str:
    """Return the message of an error, even if its `__str__` raises."""
    try:
        message = str(error)
    except BaseException as failure:  # noqa: BLE001  a handler may raise any class
        message = f"<no message: __str__ raised {type(failure).__name__}>"
    return _storable(message)[:MAX_MESSAGE]


def describe(error: BaseException) -> str:
    """Return the class and the message of an error."""
    return f"{type(error).__name__}: {error_message(error)}"[:MAX_MESSAGE]


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an error. The middle of a long one is cut out."""
    text = _storable("".join(traceback.format_exception(error)))
    if len(text) <= MAX_TRACEBACK:
        return text
    half = MAX_TRACEBACK // 2
    return f"{text[:half]}\n…\n{text[-half:]}"


def _storable(text: str) -> str:
    """Remove NUL and halves of surrogate pairs, which PostgreSQL cannot store."""
    return text.replace("\x00", "").encode(errors="replace").decode()
