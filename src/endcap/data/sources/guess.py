"""Which of a source's columns is which of ours, by the names that shops usually give them."""

from collections.abc import Sequence

from endcap.data.errors import InputError
from endcap.data.schema import EVENT_COLUMNS, EXTRA_COLUMNS, ITEM_COLUMNS
from endcap.data.sources.origins import NONE, origin
from endcap.data.sources.tables import Mapped

# Ranks of names, best first; two columns of the same rank are ambiguous. Compared without case and separators.
EVENT_NAMES: dict[str, tuple[str, ...]] = {
    "user_id": (
        "userid uid", "user",
        "customerid clientid householdid memberid buyerid accountid reviewerid", "customer",
        "visitorid userpseudoid anonymousid", "visitor",
        "sessionid", "session",
    ),
    "item_id": ("itemid", "item", "productid parentasin", "product", "articleid asin", "article", "sku"),
    "kind": (
        "kind eventtype", "eventname behaviortype actiontype", "event behavior behaviour action", "type",
    ),
    "time": (
        "timestamp eventtimestamp unixtime unixreviewtime transactiontimestamp", "ts eventtime datetime", "time",
        "date tdat eventdate orderdate purchasedate createdat", "day",
    ),
    "rating": ("rating", "score stars overall"),
    "price": ("price", "unitprice itemprice"),
    "quantity": ("quantity", "qty"),
    "part": ("part",),
}  # fmt: skip
ITEM_NAMES: dict[str, tuple[str, ...]] = {
    "item_id": (*EVENT_NAMES["item_id"], "id handle"),
    "title": ("title", "name productname prodname productdisplayname itemname", "producttitle itemtitle"),
    "category": (
        "category categories", "maincategory productcategory producttypename categoryname itemcategory articletype",
        "googleproductcategory producttype categoryl1 type",
    ),
    "brand": ("brand", "vendor manufacturer brandname itembrand"),
    "price": ("price", "regularprice variantprice unitprice"),
    "rating": ("rating averagerating", "stars overall"),
    "rating_count": ("ratingcount ratingnumber numratings reviewcount",),
    "stock": ("stock", "qty availability availablequantity variantinventoryqty instock"),
    "description": ("description", "bodyhtml detaildesc shortdescription productdescription"),
    "image": ("image", "imagelink imagesrc imageurl baseimage images"),
    "price_max": ("pricemax",),
    "currency": ("currency", "currencycode"),
    "categories": (),  # a single column of them is the category
    "colour": ("colour", "color", "basecolour", "colours", "colors"),
    "size": ("size", "sizes"),
    "material": ("material", "materials"),
    "gender": ("gender",),
    "tags": ("tags", "tag"),
    "attributes": ("attributes",),
    # What variants share; each name has a rank of its own, since shops have several of them side by side.
    "product_code": (
        "productcode", "itemgroupid", "parentsku", "parentid", "parentproductid", "productgroupid", "variantgroupid",
        "variantgroup", "mastersku", "masterid", "stylecode", "styleid", "stylenumber", "modelcode", "modelnumber",
    ),
    "created": ("created", "createdat", "creationtimestamp", "dateadded"),
}  # fmt: skip


_DATES, _CLOCKS = {"date", "eventdate", "orderdate", "purchasedate", "datum"}, {"time", "eventtime", "hour", "uhrzeit"}


def event_columns(found: Sequence[str], given: Mapped, where: str) -> dict[str, str]:
    """Canonical event column -> the source's, in EVENT_COLUMNS order; InputError without a user and an item."""
    columns = _columns(found, given, EVENT_NAMES, ("user_id", "item_id"), where, [*EVENT_COLUMNS[1:], "order"])
    dates = [name for name in found if _plain(name) in _DATES]
    if "time" not in given and len(dates) == 1 and _plain(columns.get("time", "")) in _CLOCKS:
        columns["time"] = f"{dates[0]} + {columns['time']}"
    return columns


def item_columns(found: Sequence[str], given: Mapped, where: str) -> dict[str, str]:
    """Canonical item column -> the source's, in ITEM_COLUMNS and EXTRA_COLUMNS order; InputError without an item_id."""
    return _columns(found, given, ITEM_NAMES, ("item_id",), where, [*ITEM_COLUMNS, *EXTRA_COLUMNS])


def _columns(
    found: Sequence[str],
    given: Mapped,
    names: dict[str, tuple[str, ...]],
    needed: tuple[str, ...],
    where: str,
    order: list[str],
) -> dict[str, str]:
    taken: set[str] = set()
    for column, name in given.items():
        if column not in order:
            raise InputError(f"--map {column}={name}: there is no column {column}; columns are {', '.join(order)}")
        read = None if name == NONE else origin(name, found)
        if name != NONE and read is None:
            raise InputError(f"--map {column}={name}: {where} has no column {name}; it has {_listed(found)}")
        taken |= {name} if read is None else {place.column for place in read.places if not place.path}
    guesses = {
        column: _guess(found, names[column], column, taken, where)
        for column in order
        if column not in given and column in names
    }
    columns = {column: source for column in order if (source := given.get(column) or guesses.get(column))}
    columns = {column: source for column, source in columns.items() if source != NONE}
    missing = [column for column in needed if column not in columns]
    if missing:
        hint = " ".join(f"--map {column}=NAME" for column in missing)
        raise InputError(
            f"{where} has no column for {' and '.join(missing)}; it has {_listed(found)}; "
            f"name them with {hint} (the first line must be a header)"
        )
    return columns


def _guess(found: Sequence[str], ranks: tuple[str, ...], column: str, taken: set[str], where: str) -> str | None:
    for rank in ranks:
        names = [name for name in found if name not in taken and _plain(name) in rank.split()]
        if len(names) > 1:
            raise InputError(
                f"{where} has several columns for {column}: {_listed(names)}; choose one with --map {column}={names[0]}"
            )
        if names:
            return names[0]
    return None


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _listed(names: Sequence[str], most: int = 40) -> str:
    return ", ".join(repr(name) if not name.isidentifier() else name for name in names[:most]) + " …" * (
        len(names) > most
    )
