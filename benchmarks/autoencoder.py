"""The autoencoder of products against PCA of the same width, on H&M's articles: what is lost, and who is near whom.

`python benchmarks/autoencoder.py` fits both on 80 % of the products (all colours of a product on one side) and
measures the articles of 10 % that nobody has seen; `--part valid` measures the other 10 %, on which the configuration
was chosen. `--set key=value` changes it; `--photos` adds the photos by the pretrained backbone. Figures go to
benchmarks/out/.

Both get the same standardised numbers, each modality alike; PCA is fitted on them weighted so, which is the best a
linear map of that width can do. Neighbours are asked among all described articles, colours of the same product left
out.
"""

import argparse
import json
import os
import time
import tomllib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter
from sklearn.decomposition import PCA

from endcap.data import backend
from endcap.data.catalog import Catalog
from endcap.data.photos.album import album
from endcap.data.schema import validate_items
from endcap.data.sources import read_items
from endcap.data.vocabulary import Floats, Ints
from endcap.features.autoencoder import Autoencoder
from endcap.features.base import Block
from endcap.features.denoiser import AutoencoderConfig
from endcap.features.labels import labels
from endcap.features.photos import PhotoEncoder, PhotosConfig
from endcap.features.similar import similar
from endcap.features.standard import Modality, Standard
from endcap.features.tabular import Tabular
from endcap.features.text import Text

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("ENDCAP_DATA", HERE.parents[1] / "shared" / "data")) / "hm_sample"
TYPE = ("category", "product_type_name")  # where a product's type stands
NEAREST = 10


@dataclass(frozen=True)
class Parts:
    """Described articles, by product: all colours of one are in the same part."""

    known: Ints
    valid: Ints
    test: Ints


@dataclass(frozen=True)
class Measured:
    """One way to make vectors, over the asked articles."""

    lost: Floats  # (n,) mean squared error of standardised numbers, each modality alike
    shared: Floats  # (n,) share of the nearest with the same product type
    text_alone: Floats  # (n,) cosine of the vector of its text alone to the full one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", choices=("valid", "test"), default="test")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--photos", action="store_true")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    parser.add_argument("--inputs", choices=("all", "without type"), nargs="*", default=["all", "without type"])
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    changed: dict[str, Any] = tomllib.loads("\n".join(given.settings))
    config = TypeAdapter(AutoencoderConfig).validate_python(asdict(AutoencoderConfig()) | changed)
    catalog = articles()
    parts = split(catalog)
    asked = parts.valid if given.part == "valid" else parts.test
    results = {inputs: measure(catalog, inputs, parts.known, asked, config, given) for inputs in given.inputs}
    out = HERE / "out" / ("autoencoder-photos.json" if given.photos else "autoencoder.json")
    if given.part == "test" and not given.settings:
        out.parent.mkdir(exist_ok=True)
        out.write_text(json.dumps({"articles": len(asked), "config": asdict(config), "results": results}, indent=1))
    print(f"{len(parts.known):,} articles known, {len(asked):,} asked ({given.part}); {given.seeds} seeds; {changed}\n")
    print(table(results))


def articles() -> Catalog:
    """The 17,033 articles that somebody bought, as the catalogue's reader gives them."""
    engine = backend.local()
    items = read_items(engine, DATA / "items_in_transactions.csv").frame
    rows = validate_items(engine, items).items.toArrow()
    return Catalog.from_table(rows, sorted(rows["item_id"].to_pylist()))


def split(catalog: Catalog) -> Parts:
    """80, 10 and 10 % of the products; articles of which only the photo is known are in none."""
    products = np.array(catalog.texts("product_code"))
    described = np.flatnonzero(np.array(catalog.categories) != "")
    names = np.unique(products[described])
    place = np.random.default_rng(0).permutation(len(names))[np.searchsorted(names, products[described])] / len(names)
    return Parts(described[place < 0.8], described[(place >= 0.8) & (place < 0.9)], described[place >= 0.9])


def measure(
    catalog: Catalog, inputs: str, known: Ints, asked: Ints, config: AutoencoderConfig, given: argparse.Namespace
) -> dict[str, Any]:
    """Ours over the seeds, PCA, and the standardised input itself."""
    shown = catalog if inputs == "all" else Catalog.from_table(catalog.table.drop_columns(TYPE), catalog.item_ids)
    blocks = encoded(shown, known, photos=given.photos)
    crowd = Crowd.of(catalog, asked)
    runs, seconds = [], []
    for seed in range(given.seeds):
        started = time.perf_counter()
        model = Autoencoder(replace(config, seed=seed)).fit(blocks, known)
        seconds.append(time.perf_counter() - started)
        lost = np.mean([errors[asked] for errors in model.item_errors(blocks).values()], axis=0)
        codes, alone = model.code(blocks), model.code({"text": blocks["text"]})
        near = (codes.vectors[asked] * alone.vectors[asked]).sum(1)
        runs.append(Measured(lost, crowd.shared(codes), near))
    ours = Measured(*(np.mean([getattr(run, name) for run in runs], axis=0) for name in Measured.__annotations__))
    linear, raw = by_pca(blocks, known, asked, config, crowd)
    spread = {name: float(np.std([getattr(run, name).mean() for run in runs])) for name in Measured.__annotations__}
    products = np.array(catalog.texts("product_code"))[asked]
    return {
        "width": {name: block.dim for name, block in blocks.items()},
        "autoencoder": means(ours) | {"std of seeds": spread, "seconds": float(np.mean(seconds))},
        "pca": means(linear), "input": means(raw),
        "autoencoder - pca": {
            name: interval(getattr(ours, name) - getattr(linear, name), products) for name in Measured.__annotations__
        },
    }  # fmt: skip


def encoded(catalog: Catalog, known: Ints, *, photos: bool) -> dict[str, Block]:
    """The blocks of all articles, fitted on the known ones; those of the tables hold for described articles alone."""
    described = np.array([any(words) for words in zip(catalog.texts("title"), catalog.descriptions, strict=True)])
    tabular = Tabular().fit(catalog, known).transform(catalog)
    tabular = replace(tabular, present=tabular.present & described)
    blocks = {"tabular": tabular, "text": Text().fit(catalog, known).transform(catalog)}
    if photos:
        config = PhotosConfig(network="frozen")
        pictures = album(catalog, DATA / "images_128px.zip", size=config.size, cache=HERE / "out" / "photos")
        counts = np.bincount(pictures.owners, minlength=len(catalog) + 1)
        counts[np.setdiff1d(np.arange(len(counts)), known)] = 0
        encoder = PhotoEncoder.fit(pictures, labels(catalog, counts, config.labels), config, known=known)
        blocks["photos"] = encoder.vectors(pictures, len(catalog))
    return blocks


@dataclass(frozen=True)
class Crowd:
    """Whom the asked articles may have as neighbours."""

    asked: Ints
    described: Ints
    types: NDArray[np.str_]
    products: NDArray[np.str_]

    @classmethod
    def of(cls, catalog: Catalog, asked: Ints) -> "Crowd":
        """All described articles."""
        types, products = np.array(catalog.texts("product_type_name")), np.array(catalog.texts("product_code"))
        return cls(asked, np.flatnonzero(types != ""), types, products)

    def shared(self, block: Block) -> Floats:
        """(n,) of the nearest articles of other products, the share that has the same product type."""
        near = similar(block, self.asked, k=NEAREST + MOST_COLOURS, among=self.described).items
        other = self.products[near] != self.products[self.asked][:, None]
        counted = other & (other.cumsum(1) <= NEAREST)
        return (counted & (self.types[near] == self.types[self.asked][:, None])).sum(1) / NEAREST


def by_pca(
    blocks: dict[str, Block], known: Ints, asked: Ints, config: AutoencoderConfig, crowd: Crowd
) -> tuple[Measured, Measured]:
    """PCA of the code's width, and the standardised numbers themselves."""
    standard = Standard([Modality(name, block.names) for name, block in blocks.items()])
    standard.observe(blocks, known, config.scale)
    root = standard.weight.sqrt()
    rows, alone = (standard.rows(some) for some in (blocks, {"text": blocks["text"]}))
    values, text = (np.asarray(each.values * root) for each in (rows, alone))
    pca = PCA(config.code, random_state=0).fit(values[known])
    codes, text_codes = pca.transform(values), pca.transform(text)
    squares = np.square(values[asked] - pca.inverse_transform(codes[asked]))
    present = np.asarray(standard.has(rows.present))[asked]
    lost = (squares * present).sum(1) / (present * np.asarray(standard.weight)).sum(1)
    nothing = np.zeros(len(asked))
    return (
        Measured(lost, crowd.shared(block(codes, rows.present)), cosine(codes[asked], text_codes[asked])),
        Measured(nothing, crowd.shared(block(values, rows.present)), cosine(values[asked], text[asked])),
    )


def block(vectors: NDArray[np.float32], present: torch.Tensor) -> Block:
    """Vectors as a block without names."""
    has = present.any(1).numpy()
    return Block((vectors * has[:, None]).astype(np.float32), has, ())


def cosine(one: Floats, other: Floats) -> Floats:
    """(n,) row by row."""
    return (one * other).sum(1) / np.maximum(np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1), 1e-12)


def means(measured: Measured) -> dict[str, float]:
    """Each figure, averaged over the articles."""
    return {name: float(getattr(measured, name).mean()) for name in Measured.__annotations__}


def interval(differences: Floats, products: NDArray[np.str_]) -> dict[str, float]:
    """The mean and its 95 % interval: bootstrap over products, since their colours are alike."""
    _, group = np.unique(products, return_inverse=True)
    sums, counts = np.bincount(group, differences), np.bincount(group)
    drawn = np.random.default_rng(0).integers(len(sums), size=(2_000, len(sums)))
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
    return {"mean": float(differences.mean()), "low": float(low), "high": float(high)}


def table(results: dict[str, Any]) -> str:
    """Markdown."""
    lines = ["| inputs | vectors | error | same type | text alone |", "|---|---|--:|--:|--:|"]
    for inputs, found in results.items():
        for name in ("autoencoder", "pca", "input"):
            row = found[name]
            lines.append(
                f"| {inputs} | {name} | {row['lost']:.4f} | {row['shared']:.4f} | {row['text_alone']:.3f} |"
            )  # fmt: skip
        cells = [f"{each['mean']:+.4f} [{each['low']:+.4f}, {each['high']:+.4f}]"
                 for each in found["autoencoder - pca"].values()]  # fmt: skip
        lines.append(f"| {inputs} | autoencoder - pca | " + " | ".join(cells) + " |")
    seconds = ", ".join(f"{found['autoencoder']['seconds']:.0f} s ({inputs})" for inputs, found in results.items())
    return "\n".join([*lines, "", f"A fit takes {seconds}."])


MOST_COLOURS = 60
"""Neighbours asked for beyond those counted: an article's product has fewer colours."""


if __name__ == "__main__":
    main()
