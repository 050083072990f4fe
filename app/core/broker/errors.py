"""The text of an error, whatever the error is: bounded, and storable in PostgreSQL and Redis."""

import traceback

LONGEST_MESSAGE = 1_000
LONGEST_TRACEBACK = 10_000


def error_message(error: BaseException) -> str:
    """Return the message of an error, also of one that has no readable message."""
    try:
        message = str(error)
    except BaseException as failure:  # noqa: BLE001  a handler may raise any class
        message = f"<no message: __str__ raised {type(failure).__name__}>"
    return _storable(message)[:LONGEST_MESSAGE]


def describe(error: BaseException) -> str:
    """Return one line that names the error."""
    return f"{type(error).__name__}: {error_message(error)}"[:LONGEST_MESSAGE]


def traceback_of(error: BaseException) -> str:
    """Return the traceback of an error. A long one loses its middle."""
    text = _storable("".join(traceback.format_exception(error)))
    if len(text) <= LONGEST_TRACEBACK:
        return text
    half = LONGEST_TRACEBACK // 2
    return f"{text[:half]}\n…\n{text[-half:]}"


def _storable(text: str) -> str:
    """Remove what PostgreSQL cannot store: NUL and halves of surrogate pairs."""
    return text.replace("\x00", "").encode(errors="replace").decode()
