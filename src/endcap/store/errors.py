"""The one exception of a database that is away."""


class Unavailable(Exception):  # noqa: N818  a state, not a mistake
    """The database cannot be reached or does not answer in time; nothing was done, so the same call may be tried again.

    Only where the connection broke in the middle of a commit is it unknown whether it was done.
    """
