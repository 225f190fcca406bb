"""What can be wrong with a photo."""

from typing import Literal, NamedTuple

from endcap.data.errors import InputError

Kind = Literal["broken", "too small", "unread"]
"""`unread` may pass, as a disk that is away does; the others are the photo's own."""


class Problem(NamedTuple):
    """One line of the report; `item_id` is empty where the photo is nobody's."""

    item_id: str
    name: str  # of the photo: a path in its folder or zip, or an address
    problem: str


class PhotoError(InputError):
    """A photo or clip that cannot be used; the rest goes on."""

    def __init__(self, problem: str, kind: Kind = "broken") -> None:
        super().__init__(problem)
        self.kind: Kind = kind
