"""The errors of `bin/new`. After each of them, nothing has changed."""


class NewError(Exception):
    """One sentence with the reason. `bin/new` exits with `code`."""

    code = 1


class InvalidArgument(NewError):
    """An argument that can never work. `code` is that of an invalid command line."""

    code = 2
