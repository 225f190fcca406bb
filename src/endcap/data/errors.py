"""The one exception that bad input raises: found, expected, what to do."""


class InputError(ValueError):
    """Input that cannot be used; the message says what was found, what was expected and what to do.

    The command line turns it into one line and exit code 2.
    """
