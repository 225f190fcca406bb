"""What shops, analytics tools and data sets call the kinds of events, and our name for each."""

from collections.abc import Iterable, Mapping

from endcap.data.errors import InputError

# One entry for each of schema.KINDS.
# Compared without case and separators: `Add to Cart`, `add_to_cart` and `AddToCart` are one name.
NAMES: dict[str, tuple[str, ...]] = {
    "view": (
        "view", "views", "viewed", "pageview", "viewitem", "viewcontent", "viewproduct", "detailpageview", "detailview",
        "productview", "productviewed", "itemview", "pv", "browse", "visit",
    ),
    "cart": (
        "cart", "addtocart", "addcart", "carted", "cartaddition", "productadded", "productaddedtocart", "basket",
        "addtobasket", "addtobag",
    ),
    "purchase": (
        "purchase", "purchased", "purchasecomplete", "purchasecompleted", "transaction", "buy", "bought", "order",
        "ordercompleted", "orderplaced", "checkoutcompleted", "sale", "conversion",
    ),
    "review": ("review", "reviewed", "rating", "rate", "rated", "productreviewed"),
    "impression": (
        "impression", "impressions", "viewitemlist", "productlistviewed", "viewportion", "exposure", "show", "shown",
    ),
    "click": ("click", "clicks", "clicked", "selectitem", "productclicked", "clickout"),
    "remove": (
        "remove", "removed", "removefromcart", "removefrombasket", "productremoved", "productremovedfromcart",
    ),
}  # fmt: skip

_KIND_OF = {name: kind for kind, names in NAMES.items() for name in names}
_SEPARATORS = str.maketrans("", "", " -_.:")


def kinds_of(found: Iterable[str], given: Mapping[str, str]) -> dict[str, str]:
    """Our kind for each name that has one; what the user says (`given`) comes first.

    Raises InputError when `given` names a kind that does not exist.

    >>> kinds_of(["View_Item", "purr"], {})
    {'View_Item': 'view'}
    """
    for name, kind in given.items():
        if kind not in NAMES:
            raise InputError(f"found kind {kind!r} for {name!r}; expected one of {', '.join(NAMES)}")
    said = {_plain(name): kind for name, kind in given.items()}
    known = {name: given.get(name) or said.get(_plain(name)) or _KIND_OF.get(_plain(name)) for name in found}
    return {name: kind for name, kind in known.items() if kind is not None}


def _plain(name: str) -> str:
    return name.casefold().translate(_SEPARATORS)
