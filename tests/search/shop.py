"""A shop of a dozen products, and a search in it."""

import numpy as np
import pyarrow as pa

from endcap.data.catalog import Catalog
from endcap.search.finding import Facts, Found, find
from endcap.search.index import Index
from endcap.search.ranking import Corpus
from endcap.search.spelling import Speller
from endcap.search.wishes import Sort

PRODUCTS = [
    # id, title, brand, category, price, rating, colour, material, description
    ("d1", "Red summer dress", "Lumo", "Women > Dresses", 40.0, 4.1, "red", "cotton", "For hot days."),
    ("d2", "Red evening dress", "Lumo", "Women > Dresses", 90.0, 4.8, "red", "polyester", "With lace."),
    ("d3", "Blue dress", "Vero", "Women > Dresses", 35.0, None, "blue", "linen", "Goes well with a red belt."),
    ("b1", "Leather belt, brown", "Vero", "Women > Belts", 20.0, 3.9, "brown", "leather", None),
    ("w1", "Kids water bottle with straw", "Dino", "Kitchen > Bottles", 12.0, 4.0, None, "steel", None),
    ("w2", "Kids water bottle without straw, 500 ml", "Dino", "Kitchen > Bottles", 11.0, 4.2, None, "steel", None),
    ("w3", "Kids water bottle", "Dino", "Kitchen > Bottles", 10.0, 4.4, None, "steel", "The straw is sold apart."),
    ("p1", "Smart phone", "Nori", "Phones > Phones", 300.0, 4.5, "black", None, None),
    ("c1", "Phone case, black", "Nori", "Phones > Cases", 9.0, 4.9, "black", "silicone", None),
    ("c2", "Phone case, clear", "Nori", "Phones > Cases", 8.0, 4.9, "clear", "silicone", None),
    ("c3", "Phone case for travel", "Nori", "Phones > Cases", 7.5, 4.0, "grey", "silicone", None),
    ("v1", "Display IFP5550-BUN", "Viso", "Office > Displays", 900.0, None, None, None, None),
    ("z1", "红色连衣裙", "花间", "女装 > 连衣裙", 50.0, 4.7, "红色", "棉", None),
    ("z2", "蓝色连衣裙", "花间", "女装 > 连衣裙", 120.0, 4.7, "蓝色", "棉", None),
]  # fmt: skip
COLUMNS = ("item_id", "title", "brand", "category", "price", "rating", "colour", "material", "description")


def catalog(rows=PRODUCTS) -> Catalog:  # type: ignore[no-untyped-def]
    columns = dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
    return Catalog.from_table(pa.table(columns), columns["item_id"])


class Shop:
    """A catalogue that can be searched."""

    def __init__(self, rows=PRODUCTS, currencies: frozenset[str] = frozenset()) -> None:  # type: ignore[no-untyped-def]
        self.catalog = catalog(rows)
        self.index = Index.of(self.catalog)
        self.corpus, self.speller = Corpus.of(self.index), Speller.of(self.index)
        self.facts = Facts(self.catalog.prices, self.catalog.ratings, currencies)

    def find(self, query: str, *, sort: Sort | None = None) -> Found:
        allowed = np.ones(self.corpus.size, dtype=bool)
        return find(self.corpus, self.speller, self.facts, query, allowed=allowed, sort=sort)

    def ids(self, query: str) -> list[str]:
        return [self.catalog.item_ids[item - 1] for item in self.find(query).items]

    def exact(self, query: str) -> list[str]:
        return self.ids(query)[: self.find(query).exact]
