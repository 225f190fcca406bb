"""Search on judged queries: ours beside plain BM25 and two engines, with paired intervals, in one run.

`python benchmarks/guide.py` measures both sets; `--misspelt` with one typing error in each query of search_esci;
`--choose` tries other numbers for ranking.py and index.py, on one half of the queries of both sets, and says what the
other half makes of it. tantivy is measured where it is installed (`pip install tantivy`).

nDCG@10 over the whole catalogue, products that nobody judged counting as wrong; gains of search_esci 1, .1, .01, 0, of
search_icecat 2^rating - 1. Queries that nothing fits are left out of it.
"""

import argparse
import csv
import gzip
import importlib.util
import json
import math
import os
import random
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import csc_array

from endcap.data.catalog import Catalog
from endcap.search import index as index_of
from endcap.search import ranking
from endcap.search.fields import fields_of
from endcap.search.finding import Facts, find
from endcap.search.index import Index
from endcap.search.ranking import Corpus
from endcap.search.spelling import Speller
from endcap.search.terms import names
from endcap.search.wishes import wishes_of

DATA = Path(os.environ.get("ENDCAP_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
Search = Callable[[str], Sequence[str]]
GAINS = {"E": 1.0, "S": 0.1, "C": 0.01, "I": 0.0}
DRAWS = 2000


@dataclass(frozen=True)
class Judged:
    """A catalogue and what people said of its products, by query."""

    name: str
    catalog: Catalog
    gains: Mapping[str, Mapping[str, float]]  # query -> item_id -> gain
    best: float  # gain from which a product is one of the best


def esci() -> Judged:
    """Products of a marketplace."""
    rows = _rows("search_esci")
    table = {
        "item_id": [row["asin"] for row in rows],
        "title": [row["title"] for row in rows],
        "brand": [row["brand"] for row in rows],
        "category": [" > ".join(row["category"] or []) or None for row in rows],
        "description": [f"{row['description'] or ''}\n{row['bullet_points'] or ''}" for row in rows],
        "colour": [row["color"] for row in rows],
    }
    return _judged("search_esci", table, "judgments_dev.tsv.gz", lambda row: ("asin", GAINS[row["label"]]), best=1.0)


def icecat() -> Judged:
    """Electronics; of attributes the texts."""
    rows = _rows("search_icecat")
    table = {
        "item_id": [row["id"] for row in rows],
        "title": [row["title"] for row in rows],
        "brand": [row["supplier"] for row in rows],
        "category": [row.get("attr_t_product_type") for row in rows],
        "description": [row.get("short_description") for row in rows],
        "attributes": ["|".join(str(v) for k, v in row.items() if k.startswith("attr_t_")) or None for row in rows],
        "product_code": [row["name"] for row in rows],
        "price": [row["price"] / 100 if row["price"] else None for row in rows],
    }
    return _judged(
        "search_icecat", table, "ratings_dev.tsv.gz", lambda row: ("id", 2 ** float(row["rating"]) - 1), best=7
    )


def _rows(name: str) -> list[dict[str, Any]]:
    with gzip.open(DATA / name / "products.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


def _judged(
    name: str,
    table: Mapping[str, Any],
    file: str,
    gain: Callable[[Mapping[str, str]], tuple[str, float]],
    *,
    best: float,
) -> Judged:
    gains: dict[str, dict[str, float]] = {}
    with gzip.open(DATA / name / file, "rt") as lines:
        for row in csv.DictReader(lines, delimiter="\t"):
            column, value = gain(row)
            gains.setdefault(row["query"], {})[row[column]] = value
    return Judged(name, Catalog.from_table(pa.table(dict(table)), table["item_id"]), gains, best)


def plain(catalog: Catalog) -> Search:
    """BM25 (k1 1.2, b .75) over all text as one."""
    fields = fields_of(catalog)
    rows = [[t for f in ("title", "brand", "category", "attributes", "description") for t in fields.names[f][n]]
            for n in range(len(catalog))]  # fmt: skip
    numbers: dict[str, int] = {}
    items = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    terms = np.array([numbers.setdefault(term, len(numbers)) for row in rows for term in row])
    counts = csc_array((np.ones(len(terms)), (items, terms)), shape=(len(rows), len(numbers)))
    lengths = np.array([len(row) for row in rows])
    norm = 1.2 * (0.25 + 0.75 * lengths / lengths.mean())
    ids = catalog.item_ids

    def search(query: str) -> Sequence[str]:
        scores = np.zeros(len(rows))
        for term in dict.fromkeys(names(query)):
            if (number := numbers.get(term)) is not None:
                own = slice(counts.indptr[number], counts.indptr[number + 1])
                found, tf = counts.indices[own], counts.data[own]
                rarity = math.log1p((len(rows) - len(found) + 0.5) / (len(found) + 0.5))
                scores[found] += rarity * tf * 2.2 / (tf + norm[found])
        order = np.lexsort((np.arange(len(rows)), -scores))[:100]
        return [ids[place] for place in order if scores[place] > 0]

    return search


def ours(catalog: Catalog) -> Search:
    """What `/v1/search` answers, without a visitor."""
    index = Index.of(catalog)
    corpus, speller = Corpus.of(index), Speller.of(index)
    facts = Facts(catalog.prices, catalog.ratings)
    allowed = np.ones(corpus.size, dtype=bool)

    def search(query: str) -> Sequence[str]:
        return [catalog.item_ids[item - 1] for item in find(corpus, speller, facts, query, allowed=allowed).items[:100]]

    return search


def fts5(catalog: Catalog, weights: Sequence[float] = (3, 2, 2, 1, 0.5)) -> Search:
    """SQLite's full text, with its own stemmer and the same weights of fields."""
    database = sqlite3.connect(":memory:")
    columns = ("title", "brand", "category", "attributes", "description")
    database.execute(f"create virtual table product using fts5({', '.join(columns)}, tokenize='porter unicode61')")
    database.executemany(f"insert into product values ({', '.join('?' * len(columns))})", _texts(catalog, columns))
    chosen = ", ".join(map(str, weights))

    def search(query: str) -> Sequence[str]:
        words = " OR ".join(f'"{word}"' for word in names(query))
        ranked = f"select rowid from product where product match ? order by bm25(product, {chosen}) limit 100"
        return [catalog.item_ids[number - 1] for (number,) in database.execute(ranked, (words,))]

    return search


def tantivy(catalog: Catalog) -> Search:
    """The engine in Rust, English stems, fields of the same weight."""
    import tantivy as library

    columns = {"title": 3.0, "brand": 2.0, "category": 2.0, "attributes": 1.0, "description": 0.5}
    builder = library.SchemaBuilder()
    builder.add_integer_field("number", stored=True)
    for column in columns:
        builder.add_text_field(column, tokenizer_name="en_stem")
    found = library.Index(builder.build())
    writer = found.writer(num_threads=1)
    for number, row in enumerate(_texts(catalog, tuple(columns))):
        writer.add_document(library.Document(number=number, **dict(zip(columns, row, strict=True))))
    writer.commit()
    found.reload()
    searcher = found.searcher()

    def search(query: str) -> Sequence[str]:
        words = " ".join(names(query))
        parsed = found.parse_query(words, list(columns), field_boosts=columns)
        hits = searcher.search(parsed, 100).hits
        return [catalog.item_ids[searcher.doc(address)["number"][0]] for _, address in hits]

    return search


def _texts(catalog: Catalog, columns: Sequence[str]) -> list[tuple[str, ...]]:
    have = [catalog.texts(name)[1:] if name in catalog.table.column_names else ("",) * len(catalog) for name in columns]
    if "colour" in catalog.table.column_names:
        have[columns.index("attributes")] = catalog.texts("colour")[1:]
    return list(zip(*have, strict=True))


def ndcg(found: Sequence[str], gains: Mapping[str, float], k: int = 10) -> float:
    """Against the best order of what was judged."""
    ideal = sum(gain / math.log2(place + 2) for place, gain in enumerate(sorted(gains.values(), reverse=True)[:k]))
    return sum(gains.get(item, 0.0) / math.log2(place + 2) for place, item in enumerate(found[:k])) / ideal


def misspelt(query: str, draw: random.Random) -> str:
    """One letter left out, put in, changed or swapped, in a word of four letters or more."""
    words = query.split()
    places = [place for place, word in enumerate(words) if len(word) >= 4 and word.isalpha()]
    if places:
        place = draw.choice(places)
        word, at, letter = words[place], draw.randrange(len(words[place]) - 1), chr(97 + draw.randrange(26))
        words[place] = draw.choice((
            word[:at] + word[at + 1 :], word[:at] + letter + word[at:], word[:at] + letter + word[at + 1 :],
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        ))  # fmt: skip
    return " ".join(words)


def interval(values: Sequence[float]) -> str:
    """Mean and 95 % of resampled means."""
    drawn = np.random.default_rng(0).choice(np.asarray(values), (DRAWS, len(values))).mean(axis=1)
    return f"{np.mean(values):.3f} ({np.quantile(drawn, 0.025):.3f} to {np.quantile(drawn, 0.975):.3f})"


def report(judged: Judged, searches: Mapping[str, Callable[[], Search]], queries: Mapping[str, str]) -> None:
    """One line for each engine; `queries`: as judged -> as typed."""
    print(f"\n{judged.name}: {len(judged.catalog):,} products, {len(queries)} queries with an answer")
    first: list[float] = []
    for name, make in searches.items():
        start = time.perf_counter()
        search = make()
        built, start = time.perf_counter() - start, time.perf_counter()
        found = {query: search(typed) for query, typed in queries.items()}
        each = 1000 * (time.perf_counter() - start) / len(queries)
        values = [ndcg(items, judged.gains[query]) for query, items in found.items()]
        best = [{item for item, gain in judged.gains[query].items() if gain >= judged.best} for query in found]
        recall = [len(own & set(items)) / len(own) for own, items in zip(best, found.values(), strict=True) if own]
        nothing = np.mean([not items for items in found.values()])
        negated = [value for query, value in zip(found, values, strict=True) if wishes_of(query).unwanted]
        first = first or values
        print(f"  {name:24} nDCG@10 {interval(values)}, beside the first {interval(np.subtract(values, first))};"  # type: ignore[arg-type]
              f" recall@100 {np.mean(recall):.3f}; nothing {nothing:.1%}; built in {built:.1f} s, {each:.1f} ms a query"
              + (f"; {len(negated)} with a negation {np.mean(negated):.3f}" if negated else ""))  # fmt: skip


def choose(sets: Sequence[Judged], *, tries: int) -> None:
    """Draws numbers, keeps what is best on every other query, and measures it on the rest."""
    draw = random.Random(0)
    built = {each.name: Corpus.of(Index.of(each.catalog)) for each in sets}
    spellers = {name: Speller.of(corpus.parts[0].index) for name, corpus in built.items()}

    def measured() -> list[tuple[float, float]]:
        means = []
        for each in sets:
            corpus, facts = built[each.name], Facts(each.catalog.prices, each.catalog.ratings)
            allowed = np.ones(corpus.size, dtype=bool)
            values = [
                ndcg([each.catalog.item_ids[item - 1] for item in
                      find(corpus, spellers[each.name], facts, query, allowed=allowed).items[:10]], gains)
                for query, gains in sorted(each.gains.items()) if max(gains.values()) > 0
            ]  # fmt: skip
            means.append((float(np.mean(values[::2])), float(np.mean(values[1::2]))))
        return means

    numbers = {"KIND_MEANT": (0.0, 0.2, 0.4, 0.6), "FIRST": (10, 30, 60, 100), "BESIDE": (1.0, 0.9, 0.8, 0.6),
               "LACKS": (1.0, 1.2, 1.5), "SAYS_WHAT": (1.0, 1.5, 2.0, 3.0)}  # fmt: skip
    best, now = 0.0, measured()
    print("as they are", now)
    for _ in range(tries):
        for name, values in numbers.items():
            setattr(ranking, name, draw.choice(values))
        found = measured()
        if (own := sum(first for first, _ in found)) > best:
            best = own
            print({name: getattr(ranking, name) for name in numbers}, found, flush=True)
    print(f"index.py stays at k1 {index_of.SATURATION}, b {index_of.LENGTH}: it would be built anew for each try")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--misspelt", action="store_true", help="one typing error in each query of search_esci")
    parser.add_argument("--choose", type=int, default=0, metavar="N", help="try N draws of the numbers of ranking.py")
    given = parser.parse_args()
    if given.choose:
        choose([esci(), icecat()], tries=given.choose)
        return
    for judged in (esci(), icecat()):
        typed = {query: query for query, gains in judged.gains.items() if max(gains.values()) > 0}
        if given.misspelt:
            draw = random.Random(0)
            typed = {query: misspelt(query, draw) for query in typed}
        catalog = judged.catalog
        searches: dict[str, Callable[[], Search]] = {
            "BM25, all text": lambda catalog=catalog: plain(catalog),
            "SQLite FTS5": lambda catalog=catalog: fts5(catalog),
            "ours": lambda catalog=catalog: ours(catalog),
        }
        if importlib.util.find_spec("tantivy"):
            searches["tantivy"] = lambda catalog=catalog: tantivy(catalog)
        report(judged, searches, typed)


if __name__ == "__main__":
    main()
