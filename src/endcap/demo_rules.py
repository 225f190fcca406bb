"""What no shop sells by the cart, hidden by rules that `endcap demo` publishes once for the Complete Journey.

A till knows fuel, coupons and bottle deposits as products. Nobody's models, figures or filters are touched: the rules
stand in the console with their notes, and are a merchandiser's to change or take back.
"""

from collections.abc import Mapping

from endcap.data.catalog import Catalog
from endcap.engine.filters import parse
from endcap.engine.rules import Hide, check_rule, dump_rule
from endcap.store.store import Store

BY = "endcap demo"
"""Who published them, in the log of changes."""
NO_PRICE, NO_TITLE = "NOT price:*", "NOT title:*"

RULES: Mapping[str, Hide] = {
    "demo-no-fuel": Hide(
        filter="department:FUEL OR title:Gasoline",
        note="Fuel comes from the pump, not from a cart. The till files more than half of it under miscellaneous.",
    ),
    "demo-no-coupons": Hide(
        filter='product_category:("COUPON/MISC ITEMS", "COUPONS/STORE & MFG", COUPON, "BOTTLE DEPOSITS") '
        'OR title:"CRV deposit"',
        note="Coupons, deposits, gift cards and what a till rings up as miscellaneous are no products.",
    ),
    "demo-no-supplies": Hide(
        filter='product_category:("DELI SUPPLIES", "MEAT SUPPLIES", "PROD SUPPLIES") '
        'OR department:("CNTRL/STORE SUP", "GM MERCH EXP", "CHARITABLE CONT")',
        note="What a shop uses up itself, and what its customers give to charity.",
    ),
    "demo-no-price": Hide(
        filter=NO_PRICE,
        note="Nobody bought these in the training part, so that no price is known; a shop sells at a price.",
    ),
}


def offer(store: Store, rules: Mapping[str, Hide], catalog: Catalog, *, now: float) -> list[str]:
    """Publishes each rule that was never there, and gives their ids: what was changed or taken back stays so.

    Raises InputError where a rule cannot be followed with this catalogue.
    """
    for rule in rules.values():
        check_rule(rule, catalog)
    return [rule_id for rule_id, rule in rules.items() if store.offer_rule(rule_id, dump_rule(rule), by=BY, now=now)]


def lacking(catalog: Catalog, rule: str) -> int:
    """Products that a filter such as NO_PRICE matches, of a catalogue that it does not match throughout; else 0."""
    missing = int(parse(rule).mask(catalog).sum())
    return missing if missing < len(catalog) else 0
