"""The cart, in a signed cookie: it needs no table, and goes with the browser."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

from endcap.serve.keys import PublicKey
from endcap.serve.storefront.guest import set_cookie

COOKIE = "endcap_cart"
ASIDE = "endcap_cart_aside"
"""The cart of who is a user of the store for a while."""
SALT = "endcap cart"
DAYS = 30
MOST = 99
"""Pieces of one product."""
LONGEST = 3_800
"""Bytes of the cookie; browsers keep 4,096 with its name and attributes."""


@dataclass(frozen=True)
class Line:
    """Some pieces of a product."""

    quantity: int
    list: str | None = None  # the recommendation_id of the list in which it was found


Key = tuple[str, str]
"""item_id, and the variant that was chosen (`Red · M`); an empty one where there is nothing to choose."""


@dataclass(frozen=True)
class Basket:
    """Products in the order in which they were put in; `put` and `without` make another one."""

    lines: Mapping[Key, Line] = field(default_factory=dict)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(item_id for item_id, _ in self.lines))

    def __len__(self) -> int:
        """Pieces."""
        return sum(line.quantity for line in self.lines.values())

    def put(self, key: Key, quantity: int, found: str | None = None) -> "Basket":
        """With so many pieces of a product; none: without it."""
        if quantity < 1:
            return Basket({each: line for each, line in self.lines.items() if each != key})
        before = self.lines.get(key)
        line = Line(min(quantity, MOST), found or (before.list if before else None))
        return Basket({**self.lines, key: line})

    def quantity(self, key: Key) -> int:
        """Pieces of a product."""
        line = self.lines.get(key)
        return 0 if line is None else line.quantity

    def dumps(self, key: PublicKey) -> str:
        """As the cookie has it."""
        rows = [[item_id, line.quantity, line.list, *filter(None, [variant])]
                for (item_id, variant), line in self.lines.items()]  # fmt: skip
        return str(URLSafeSerializer(key.signing_secret, SALT).dumps(rows))

    def fits(self, key: PublicKey) -> bool:
        """Whether a browser can keep it."""
        return len(self.dumps(key)) <= LONGEST


def basket_of(request: Request, key: PublicKey, name: str = COOKIE) -> Basket:
    """By a cookie; empty where there is none, or one that is not ours."""
    try:
        rows = URLSafeSerializer(key.signing_secret, SALT).loads(request.cookies.get(name, ""))
        return Basket(
            {(item_id, "".join(variant)): Line(quantity, found) for item_id, quantity, found, *variant in rows}
        )
    except (BadSignature, ValueError, TypeError):
        return Basket()


def keep(response: Response, basket: Basket, key: PublicKey, request: Request, name: str = COOKIE) -> None:
    """Gives the browser its cart."""
    set_cookie(response, request, name, basket.dumps(key), days=DAYS)
