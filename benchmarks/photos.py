"""How well and how fast photos are told apart, and turned into vectors.

python benchmarks/photos.py clothing          # clothing_small: from scratch, and with ImageNet's weights
python benchmarks/photos.py fashion           # fashion_product_small: type, colour, gender ... jointly
python benchmarks/photos.py example           # 28x28 grey: the plain recipe against the same with augmentation
python benchmarks/photos.py vectors           # H&M's photos: decoding, looking, and looking again

Everything is chosen on validation; `--test` looks at the test part as well. Data is in $ENDCAP_DATA or ../shared/data.
Intervals are of a bootstrap over seeds and, within each, over photos. The answer is JSON.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import torch
from numpy.typing import NDArray

from endcap.data.catalog import Catalog
from endcap.data.photos.album import album
from endcap.data.vocabulary import Ints
from endcap.features import linear
from endcap.features.augment import NO_CHANGE, AugmentConfig
from endcap.features.fit_images import LabelledPhotos, PhotoEpoch, PhotoTrainConfig, fit_network, look
from endcap.features.images import PhotoNetwork, pictures_of
from endcap.features.labels import Labels, LabelsConfig, labels
from endcap.features.photos import PhotoEncoder, PhotosConfig, full, gently, trunk

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("ENDCAP_DATA", HERE.parents[1] / "shared" / "data"))
DRAWS = 10_000
COLUMNS = ("articleType", "baseColour", "gender", "season", "usage", "subCategory")

# Photos that people took: from any side, at any distance, in any light.
PEOPLES = AugmentConfig(
    crop=0.35, stretch=0.15, turn=8, flip=0.5, brightness=0.2, contrast=0.2, saturation=0.2, erase=0.25
)
CLOTHING = PhotosConfig(train=PhotoTrainConfig(epochs=50, augment=replace(PEOPLES, mixup=0.25, cutmix=0.25)))
FROZEN = PhotosConfig(network="frozen", size=128)
TUNED = PhotosConfig(
    network="fine-tuned",
    size=160,
    # Depthwise convolutions are slower in bfloat16 than in float32 when they are trained.
    train=PhotoTrainConfig(epochs=8, batch=32, weight_decay=0.05, smaller=0, precision="float32", augment=PEOPLES),
)
FASHION = PhotosConfig(size=80)  # photos of 60x80, so that no pixel is lost
PLAIN = PhotosConfig(
    network="small",
    dropout=0.25,
    train=PhotoTrainConfig(epochs=80, batch=128, weight_decay=0, smoothing=0, augment=NO_CHANGE),
)
AUGMENTED = replace(PLAIN, train=replace(PLAIN.train, augment=AugmentConfig()))


@dataclass(frozen=True)
class Parts:
    """One split of a data set."""

    train: LabelledPhotos
    valid: LabelledPhotos
    test: LabelledPhotos
    classes: tuple[int, ...]  # of each label column
    names: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """What one training came to."""

    valid: list[NDArray[np.bool_]]  # of each label column, which photos were told right
    test: list[NDArray[np.bool_]]  # empty where the test part was not looked at
    seconds: float
    photos_per_second: float


def clothing(given: argparse.Namespace) -> dict[str, Any]:
    parts = clothing_parts()
    recipes: dict[str, Callable[[int], Run]] = {
        "linear on 32x32 pixels": lambda seed: raw_pixels(parts, given),
        "compact from scratch": lambda seed: trained(CLOTHING, parts, seed, given),
        "efficientnet-lite0 frozen": lambda seed: frozen(FROZEN, parts, given),
        "efficientnet-lite0 fine-tuned": lambda seed: trained(TUNED, parts, seed, given),
    }
    wanted = {name: run for name, run in recipes.items() if given.only in name}
    return {name: summary([run(seed) for seed in range(given.seeds)], parts.names) for name, run in wanted.items()}


def fashion(given: argparse.Namespace) -> dict[str, Any]:
    photos, told = fashion_photos()
    runs = [trained(FASHION, fashion_parts(photos, told, seed), seed, given) for seed in range(given.seeds)]
    return {"compact": summary(runs, told.names)}


def example(given: argparse.Namespace) -> dict[str, Any]:
    """The labels are the types alone; 28x28 grey is cut out of a little more, so that crops are sharp too."""
    photos, told = fashion_photos()
    small = [pictures_of(torch.from_numpy(photos.pixels[rows]), 42) for rows in np.array_split(photos.rows, 20)]
    pixels = (torch.cat(small) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    grey = LabelledPhotos(pixels, np.arange(len(pixels)), photos.codes[:, :1])
    types = replace(told, names=told.names[:1], classes=told.classes[:1], codes=told.codes[:, :1])
    pairs = []
    for seed in range(given.seeds):
        parts = fashion_parts(grey, types, seed)
        pairs.append([trained(config, parts, seed, given) for config in (PLAIN, AUGMENTED)])
    plain, augmented = zip(*pairs, strict=True)
    found = {"plain": summary(plain, types.names), "augmented": summary(augmented, types.names)}
    for part in ("valid", "test"):
        better = [
            b.astype(float) - a.astype(float)
            for one, other in pairs
            for a, b in zip(getattr(one, part)[:1], getattr(other, part)[:1], strict=True)
        ]
        if better:
            found["augmented - plain"] = found.get("augmented - plain", {}) | {part: interval(better)}
    return found


def vectors(given: argparse.Namespace) -> dict[str, Any]:
    """Weights do not matter for the time, so that of the compact network are random."""
    path = DATA / "hm_sample" / "images_128px.zip"
    with zipfile.ZipFile(path) as archive:
        ids = sorted(Path(name).stem for name in archive.namelist() if name.endswith(".jpg"))
    catalog = Catalog.from_table(None, ids)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        for config in (each for each in (PhotosConfig(), FROZEN) if given.only in each.network):
            started = time.perf_counter()
            photos = album(catalog, path, size=config.size, cache=cache)
            decoding = time.perf_counter() - started
            torch.manual_seed(0)
            network = PhotoNetwork(trunk(config), (2,), 0).eval()
            encoder = PhotoEncoder(config, network, ("category",), (("a", "b"),))
            times = []
            for _ in range(2):
                started = time.perf_counter()
                encoder.vectors(photos, len(catalog), cache=cache)
                times.append(time.perf_counter() - started)
            started = time.perf_counter()
            photos = album(catalog, path, size=config.size, cache=cache)
            again = time.perf_counter() - started
            found[f"{config.network} at {config.size} px"] = {
                "photos": len(photos.owners), "decoding_s": decoding, "decoding_cached_s": again,
                "vectors_s": times[0], "vectors_cached_s": times[1], "vectors_per_decoding": times[0] / decoding,
                "all_first_per_decoding": (decoding + times[0]) / decoding, "all_cached_s": again + times[1],
            }  # fmt: skip
    return found


def clothing_parts() -> Parts:
    """Its own folders: part/class/name.jpg."""
    path = DATA / "clothing_small" / "images_128px.zip"
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
    table = pa.table({"item_id": names, "image": names, "category": [name.split("/")[1] for name in names]})
    catalog = Catalog.from_table(table, names)
    photos = album(catalog, path, size=128)
    part = np.array(["", *(name.split("/")[0] for name in names)])[photos.owners]
    told = labels(catalog, ((np.arange(len(names) + 1) > 0) * 1).astype(np.int64), LabelsConfig(("category",)))
    all_of_it = LabelledPhotos(photos.pixels, np.arange(len(photos)), told.codes[photos.owners])
    train, valid, test = (take(all_of_it, np.flatnonzero(part == name)) for name in ("train", "validation", "test"))
    return Parts(train, valid, test, told.sizes, ("class",))


def fashion_photos() -> tuple[LabelledPhotos, Labels]:
    """The photos whose type has at least 20."""
    folder = DATA / "fashion_product_small"
    table = pyarrow.csv.read_csv(
        folder / "styles.csv", convert_options=pyarrow.csv.ConvertOptions(column_types={"id": pa.string()})
    )
    table = table.rename_columns({"id": "item_id"})
    catalog = Catalog.from_table(table, table["item_id"].to_pylist())
    photos = album(catalog, folder / "images_80px.zip", size=80)
    counts = np.bincount(photos.owners, minlength=len(catalog) + 1)
    told = labels(catalog, counts, LabelsConfig(COLUMNS))
    codes = told.codes[photos.owners]
    return take(LabelledPhotos(photos.pixels, np.arange(len(photos)), codes), np.flatnonzero(codes[:, 0] >= 0)), told


def fashion_parts(photos: LabelledPhotos, told: Labels, seed: int) -> Parts:
    """80/10/10 at random."""
    order = np.random.default_rng(seed).permutation(len(photos))
    tenth = len(photos) // 10
    train, valid, test = (
        take(photos, np.sort(rows)) for rows in np.split(order, [len(photos) - 2 * tenth, len(photos) - tenth])
    )
    return Parts(train, valid, test, told.sizes, told.names)


def take(photos: LabelledPhotos, rows: Ints) -> LabelledPhotos:
    return LabelledPhotos(photos.pixels, photos.rows[rows], photos.codes[rows])


def trained(config: PhotosConfig, parts: Parts, seed: int, given: argparse.Namespace) -> Run:
    torch.manual_seed(seed)
    network = PhotoNetwork(trunk(config), parts.classes, config.dropout)
    rates = gently if config.network == "fine-tuned" else full
    started = time.perf_counter()
    epochs = fit_network(
        network, parts.train, parts.valid, replace(config.train, seed=seed), rates=rates, on_epoch=told
    )
    seconds = time.perf_counter() - started
    speed = float(np.median([epoch.photos_per_second for epoch in epochs]))
    return judged(lambda photos: look(network, photos.pixels, photos.rows)[0], parts, given, (seconds, speed))


def frozen(config: PhotosConfig, parts: Parts, given: argparse.Namespace) -> Run:
    network = PhotoNetwork(trunk(config), parts.classes, config.dropout)
    started = time.perf_counter()
    linear.fit_heads(network, parts.train, parts.valid)
    cost = (time.perf_counter() - started, 0.0)
    return judged(lambda photos: look(network, photos.pixels, photos.rows)[0], parts, given, cost)


def raw_pixels(parts: Parts, given: argparse.Namespace) -> Run:
    started = time.perf_counter()
    weight, bias = linear.solve(
        flat(parts.train), parts.train.codes[:, 0], parts.classes[0], flat(parts.valid), parts.valid.codes[:, 0]
    )
    cost = (time.perf_counter() - started, 0.0)
    return judged(lambda photos: [flat(photos) @ weight.T + bias], parts, given, cost)


def flat(photos: LabelledPhotos) -> NDArray[np.float32]:
    return pictures_of(torch.from_numpy(photos.pixels[photos.rows]), 32).flatten(1).numpy()


def judged(
    logits: Callable[[LabelledPhotos], list[NDArray[np.float32]]],
    parts: Parts,
    given: argparse.Namespace,
    cost: tuple[float, float],
) -> Run:
    def right(photos: LabelledPhotos) -> list[NDArray[np.bool_]]:
        pairs = zip(logits(photos), photos.codes.T, strict=True)
        return [values[codes >= 0].argmax(1) == codes[codes >= 0] for values, codes in pairs]

    return Run(right(parts.valid), right(parts.test) if given.test else [], *cost)


def summary(runs: Sequence[Run], names: Sequence[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "seconds": round(float(np.mean([run.seconds for run in runs])), 1),
        "photos_per_second": round(float(np.mean([run.photos_per_second for run in runs]))),
    }
    for part in ("valid", "test"):
        columns = zip(*(getattr(run, part) for run in runs), strict=True)
        found[part] = {
            name: interval([each.astype(float) for each in column])
            for name, column in zip(names, columns, strict=False)
        }
    return found


def interval(seeds: Sequence[NDArray[np.float64]]) -> dict[str, Any]:
    """The mean and the middle 95 % of the bootstrap over seeds and, within each, over photos."""
    random = np.random.default_rng(0)
    drawn = np.stack([each[random.integers(0, len(each), (DRAWS, len(each)))].mean(1) for each in seeds])
    chosen = random.integers(0, len(seeds), (DRAWS, len(seeds)))
    low, high = np.quantile(drawn[chosen, np.arange(DRAWS)[:, None]].mean(1), [0.025, 0.975])
    means = [round(float(each.mean()), 4) for each in seeds]
    return {"mean": round(float(np.mean(means)), 4), "low": round(low, 4), "high": round(high, 4), "seeds": means}


def told(epoch: PhotoEpoch) -> None:
    accuracy = " ".join(f"{each:.4f}" for each in epoch.accuracy)
    print(
        f"{epoch.epoch:3d} loss {epoch.loss:.3f} validation {accuracy} {epoch.photos_per_second:.0f}/s", file=sys.stderr
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks = {"clothing": clothing, "fashion": fashion, "example": example, "vectors": vectors}
    parser.add_argument("task", choices=tasks)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--test", action="store_true", help="look at the test part too")
    parser.add_argument("--only", default="", help="clothing, vectors: the recipes whose name has this in it")
    parser.add_argument("--out", type=Path, help="a file for the JSON")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    found = {"task": given.task, "threads": given.threads, "seeds": given.seeds, **tasks[given.task](given)}
    text = json.dumps(found, indent=2)
    print(text)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
