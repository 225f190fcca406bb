"""What the till of the Complete Journey prints, as a shop would write it: `FRZN MEAT`, `40 LB`, `DRUG GM`.

The columns of the source stay as they are beside the words that are made here.
"""

import re

_WORDS = {
    "BBQ": "BBQ", "BKD": "Baked", "BNDGES": "Bandages", "BRD": "Bread", "BRKFST": "Breakfast", "BTL": "Bottle",
    "BTR": "Butter", "CARB": "Carbonated", "CATFD": "Cat food", "CND": "Canned", "CNDLES": "Candles",
    "CNTRL": "Central", "COOKNG": "Cooking", "CRBNTD": "Carbonated", "CRKR": "Cracker", "CRMD": "Creamed",
    "CRYSTL": "Crystal", "DEOD": "Deodorant", "DNR": "Dinner", "DNRS": "Dinners", "DOGFD": "Dog food",
    "DRNK": "Drink", "DRNKING": "Drinking", "DRNKNG": "Drinking", "DRNKS": "Drinks", "DRP": "Drop",
    "DRSNG": "Dressing", "DSH": "Dish", "DVD": "DVD", "ELECT": "Electrical", "ELSTC": "Elastic", "FD": "Food",
    "FEM": "Feminine", "FLVR": "Flavor", "FLVRD": "Flavored", "FRZ": "Frozen", "FRZN": "Frozen", "GDS": "Goods",
    "GRND": "Ground", "HBC": "Health & beauty", "HNGRS": "Hangers", "HYGN": "Hygiene", "LOZNG": "Lozenge",
    "MISC": "Miscellaneous", "MLT": "Multi", "MNRL": "Mineral", "MX": "Mix", "MXS": "Mixes", "ORGNZRS": "Organizers",
    "PCKGD": "Packaged", "PICKLD": "Pickled", "PKG": "Package", "PKGD": "Packaged", "PKLD": "Pickled",
    "PLSTC": "Plastic", "PNT": "Peanut", "PRPCK": "Prepacked", "PRSLC": "Presliced", "PTTY": "Patty",
    "PWDR": "Powder", "PWDRS": "Powders", "REFRGRATD": "Refrigerated", "SAUS": "Sausage", "SFT": "Soft",
    "SGL": "Single", "SHERBTS": "Sherbets", "SLC": "Sliced", "SNDWCH": "Sandwich", "SNGL": "Single", "SNKS": "Snacks",
    "SPF": "SPF", "SPLY": "Supplies", "SPRD": "Spread", "SUP": "Supplies", "SUPRT": "Support",
    "SWEETNERS": "Sweeteners", "SWT": "Sweet", "TISS": "Tissue", "TRSH": "Trash", "TV": "TV", "VEG": "Vegetables",
    "WHL": "Whole", "WHLSM": "Wholesome", "WTR": "Water", "XPCTRNT": "Expectorant",
}  # fmt: skip

_WHOLE = {
    "CHARITABLE CONT": "Charity", "CNTRL/STORE SUP": "Store supplies", "COUPON": "Coupons",
    "COUPON/MISC ITEMS": "Coupons & other items", "COUPONS/STORE & MFG": "Coupons of store and maker",
    "DRUG GM": "Drugstore & household", "ELECT &PLUMBING": "Electrical & plumbing", "GM MERCH EXP": "Store expenses",
    "MEAT-PCKGD": "Packaged meat", "PROD SUPPLIES": "Produce supplies", "PROD-WHS SALES": "Produce warehouse",
    "SEAFOOD-PCKGD": "Packaged seafood",
}  # fmt: skip
"""Names that are more than their words."""

_UNITS = {"ga": "gal", "dz": "dozen", "doz": "dozen", "ld": "loads", "lds": "loads", "load": "loads", "med": "medium"}
_CASE = 20
"""Pounds of loose goods from which on the till means the case that they came in, not what is in the cart."""


def words(text: str) -> str:
    """A name on the till in words, each with a capital letter.

    >>> words("FRZN MEAT/MEAT DINNERS"), words("DRUG GM"), words("N/A DEOD SPRAY")
    ('Frozen Meat/Meat Dinners', 'Drugstore & household', 'Deodorant Spray')
    """
    if text in _WHOLE:
        return _WHOLE[text]
    own = re.sub(r"^N/A\s+(?=\S)", "", " ".join(text.split()))
    return re.sub(r"[A-Z]+(?:'[A-Z]+)?", lambda found: _WORDS.get(found[0], found[0].capitalize()), own)


def size(text: str | None, department: str | None) -> str | None:
    """The size of a package as a title has it; None where there is none, or it is the case that loose goods came in.

    >>> size("1 GA", "GROCERY"), size("P    6 OZ", "GROCERY"), size("40 LB", "PRODUCE"), size("N/A", "GROCERY")
    ('1 gal', '6 oz', None, None)
    """
    own = re.sub(r"^[a-z*]{1,2}\s{2,}(?=\d)", "", (text or "").strip().lower())
    own = " ".join(_UNITS.get(word, word) for word in own.split())
    pounds = re.fullmatch(r"([\d.]+) ?lbs?", own)
    is_case = department == "PRODUCE" and pounds is not None and float(pounds[1]) >= _CASE
    return None if own in ("", "n/a", "na") or is_case else own
