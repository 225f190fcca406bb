"""The fields of a catalogue as terms: its columns, whatever they are called."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from endcap.data.catalog import NUMBERS, Catalog
from endcap.data.schema import SEPARATOR
from endcap.features import cells
from endcap.search.terms import Term, names, terms

WEIGHTS = {"title": 3.0, "lead": 4.0, "brand": 2.0, "category": 2.0, "attributes": 1.0, "description": 0.5, "code": 3.0}
"""What a term counts that stands there; `lead` is a title's beginning, before what a product is for or made of."""

NEGATORS = frozenset({"without", "no", "non", "not", "except", "无", "不含", "没有"})
"""What stands before a word of a title that says what a product lacks; `free` stands behind it."""
FOR = frozenset({"for", "with", "fit", "适用", "适用于"})
"""What stands before a word of a title that is another product."""
UNREAD = frozenset({"image", "photo", "video", "url", "link", "currency", "stock", "created", "attribute_names"})
"""Columns of no words."""
CODES = re.compile(r"(^|_)(id|code|sku|ean|gtin|upc|mpn|isbn|asin)$")
LONGEST_VALUE = 80
"""Characters of an attribute, on average; columns of longer ones are descriptions."""
MOST_READ = 4000
"""Characters of a field that are read."""
KIND = 3
"""Products whose category ends with a word that is the name of a kind then; likewise of values of attributes."""

_LEAD = re.compile(r"\b(?:for|with|compatible|fits|including)\b|[,(|–\[，（【]| - ", re.IGNORECASE)
_PARTS = re.compile(r"[,&/]| and ")


@dataclass(frozen=True)
class Fields:
    """What stands where; a row per item, without padding."""

    titles: list[list[Term]]
    names: dict[str, list[list[str]]]  # field of WEIGHTS -> the terms of each item
    categories: list[tuple[str, ...]]  # each item's categories and all above them
    values: frozenset[str]  # terms that are values of attributes, such as colours


def fields_of(catalog: Catalog) -> Fields:
    """Reads all columns."""
    texts = catalog.texts("title")[1:]
    titles = cells.once(texts, terms)
    found = {"title": [[name for term in row for name in (term.name, *term.parts)] for row in titles]}
    found["lead"] = cells.once(texts, lambda title: names(lead(title)))
    for name, columns in columns_of(catalog).items():
        read = [cells.texts(catalog, column) for column in columns]
        joined = [" , ".join(row) for row in zip(*read, strict=True)] if read else [""] * len(catalog)
        found[name] = cells.once(joined, lambda text: names(text[:MOST_READ].replace(SEPARATOR, " , ")))
    return Fields(titles, found, cells.values(catalog, "category"), _values(catalog))


def _values(catalog: Catalog) -> frozenset[str]:
    """Terms that are by themselves what an attribute of some products is."""
    counts: Counter[str] = Counter()
    for column in columns_of(catalog)["attributes"]:
        for cell, size in Counter(cells.texts(catalog, column)).items():
            counts.update({value: size for value in cell.split(SEPARATOR) if 0 < len(value) <= LONGEST_VALUE})
    found = ((names(value), size) for value, size in counts.items())
    return frozenset(own[0] for own, size in found if len(own) == 1 and size >= KIND)


def columns_of(catalog: Catalog) -> dict[str, list[str]]:
    """Field -> its columns; numbers are no words."""
    found: dict[str, list[str]] = {"brand": [], "category": [], "attributes": [], "description": [], "code": []}
    for column in catalog.table.column_names:
        if column in UNREAD or column in NUMBERS or column == "title" or column.startswith("_"):
            continue
        kind = catalog.table.schema.field(column).type
        if CODES.search(column):
            found["code"].append(column)
        elif cells.is_number(kind):
            continue
        elif column in ("brand", "category", "categories", "description"):
            found["category" if column == "categories" else column].append(column)
        else:
            found["description" if _is_prose(catalog, column) else "attributes"].append(column)
    return found


def lead(title: str) -> str:
    """The beginning of a title.

    >>> lead("Silicone case for phones, blue")
    'Silicone case '
    """
    end = _LEAD.search(title, 3)
    return title[: end.start()] if end else title


def kinds_of(categories: Sequence[tuple[str, ...]]) -> frozenset[str]:
    """The last words of the catalogue's categories: names of kinds of products, such as case, cover and lamp."""
    counts: Counter[str] = Counter()
    for paths, size in Counter(categories).items():
        leaf = paths[-1].rpartition(cells.LEVEL)[2] if paths else ""
        for part in _PARTS.split(leaf):
            counts.update(dict.fromkeys(names(part)[-1:], size))
    return frozenset(name for name, size in counts.items() if size >= KIND)


def _is_prose(catalog: Catalog, column: str) -> bool:
    lengths = [len(text) for text in cells.texts(catalog, column) if text]
    return bool(lengths) and float(np.mean(lengths)) > LONGEST_VALUE
