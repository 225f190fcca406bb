"""Does it help to know what products are? H&M with photos, text and cold items; Beauty and Toys by their attributes.

    python benchmarks/content.py hm --seeds 3
    python benchmarks/content.py beauty --seeds 3
    python benchmarks/content.py toys --seeds 3

H&M is split by time; candidates are all 27,966 products of its catalogue, also those that nobody in the sample bought;
the columns that tell whether somebody did are left out. Every choice is made on validation (`--part valid` shows it);
the test part is looked at once. Intervals are bootstraps over users, of the mean over seeds. Results: JSON.
"""

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from endcap import config as configuration
from endcap.config import Config
from endcap.data import backend
from endcap.data.batch import Batch
from endcap.data.catalog import Catalog
from endcap.data.dataset import Dataset, prepare
from endcap.data.split import Queries, split
from endcap.describe import Described, candidates, describe, photos_of
from endcap.evaluation import Evaluation, evaluate
from endcap.experiment import policy
from endcap.fitting import fit
from endcap.models import Recommender
from endcap.training import Task

DATA = Path(os.environ.get("ENDCAP_DATA", "../shared/data"))
DRAWS = 2000
MODALITIES = "text;tabular;photos;tabular+text;tabular+text+photos"

HM = {
    "data": {"events": str(DATA / "hm_sample/transactions.csv"), "items": str(DATA / "hm_sample"), "goal": "purchase"},
    "model": {"name": "gru", "items": {"id_dropout": 0.9, "taste": 20.0, "scale": 1.0}},
    "features": {"leave_out": ["in_transactions", "metadata"], "vectors": "blocks"},
    "train": {"learning_rate": 2e-3, "batch_tokens": 256, "epochs": 8, "patience": 3, "valid_queries": 0},
}
AMAZON = {
    "split": {"method": "leave-one-out"},
    "model": {"name": "gru"},
    "features": {"use": ["tabular"], "tabular": {"id_order": False}},
}


def main() -> None:
    """Runs one comparison and prints it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("hm", "beauty", "toys"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--part", choices=("valid", "test"), default="test")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--use", default=MODALITIES, help="hm: sets of modalities, such as text;tabular+text")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = hm(options) if options.data == "hm" else amazon(options)
    about = {"data": options.data, "part": options.part, "seeds": options.seeds, "changed": options.set}
    json.dump({**about, "rows": rows}, sys.stdout, indent=1)
    print()


class World:
    """One prepared data set with its questions, and which of its answers are cold."""

    def __init__(self, document: dict, options: argparse.Namespace) -> None:
        document = json.loads(json.dumps(document))
        configuration.override(document, options.set)
        self.config: Config = configuration.check(document, "benchmark")
        self.seeds: int = options.seeds
        data = self.config.data
        self.dataset: Dataset = prepare(backend.local(), data, self.config.clean, self.config.split)
        told = replace(self.config, features=replace(self.config.features, use=("text",)))
        self.parts = split(self.dataset.table, data.goal, catalog_ids=candidates(told, self.dataset))
        repeat, _ = policy(data, self.config.split.method, self.parts)
        self.task = Task(data.goal, None, repeat)
        self.catalog = Catalog.from_table(self.dataset.items, self.parts.train.vocabulary.ids)
        self.known = int(self.parts.train.items.max())
        self.queries: Queries = getattr(self.parts, options.part)

    def network(self, described: Described, content: bool) -> list[Evaluation]:  # noqa: FBT001
        """One evaluation per seed, with or without what is known of products."""
        found = []
        model = replace(self.config.model, items=replace(self.config.model.items, content=content))
        for seed in range(self.seeds):
            fitted = fit(
                model, self.parts.train, self.parts.valid, replace(self.config.train, seed=seed), self.task,
                content=described.products.of(self.catalog.item_ids).content,
            )  # fmt: skip
            epochs = ", ".join(f"{epoch.metric:.4f}" for epoch in fitted.epochs)
            print(f"content={content} seed={seed} epoch {fitted.best_epoch}: {epochs}", file=sys.stderr)
            found.append(evaluate(fitted.model, self.queries, repeat=self.task.repeat))
        return found

    def neighbours(self, vectors: np.ndarray) -> list[Evaluation]:
        """Content kNN; its decay is the one with the best HR@20 on cold validation answers."""
        valid = self.parts.valid

        def value(model: Neighbours) -> float:
            ranks = evaluate(model, valid, repeat=self.task.repeat).ranks[valid.targets > self.known]
            return float((ranks <= 20).mean())

        best = max((Neighbours(vectors, decay) for decay in (1.0, 0.9, 0.8, 0.6, 0.3)), key=value)
        return [evaluate(best, self.queries, repeat=self.task.repeat)]

    def groups(self) -> dict[str, np.ndarray]:
        """Name -> (targets,) which answers belong to it; of a new colour, another colour was in training."""
        targets = self.queries.targets
        groups = {"warm": targets <= self.known, "cold": targets > self.known}
        if "product_code" in self.catalog.table.column_names:
            codes = np.array(self.catalog.texts("product_code"))
            colour = groups["cold"] & np.isin(codes[targets], list(set(codes[1 : self.known + 1]) - {""}))
            groups |= {"cold: new colour": colour, "cold: new product": groups["cold"] & ~colour}
        return groups


class Neighbours(Recommender):
    """Items by the cosine of their raw vectors to the decayed mean of the history's."""

    history = 50

    def __init__(self, vectors: np.ndarray, decay: float) -> None:
        super().__init__()
        self.vectors, self.decay = F.normalize(torch.from_numpy(vectors), dim=1), decay

    def score(self, batch: Batch) -> Tensor:
        """(batch, items + 1)"""
        owners = torch.repeat_interleave(batch.lengths)
        ages = (batch.offsets[1:][owners] - 1 - torch.arange(len(owners))).float()
        means = torch.zeros(len(batch), self.vectors.shape[1])
        means.index_add_(0, owners, self.vectors[batch.items] * (self.decay**ages)[:, None])
        return F.normalize(means, dim=1) @ self.vectors.T


def hm(options: argparse.Namespace) -> list[dict]:
    """Ids alone; then by modality a content kNN on the raw numbers and the network."""
    world = World(HM, options)
    found: dict[str, list[Evaluation]] = {}
    for modalities in options.use.split(";"):
        use = tuple(modalities.split("+"))
        images = str(DATA / "hm_sample") if "photos" in use else None
        config = replace(
            world.config,
            features=replace(world.config.features, use=use),
            data=replace(world.config.data, images=images),
        )
        described = describe(config, world.dataset, progress)
        if not found:
            found["GRU, ids alone"] = world.network(described, content=False)
        album = photos_of(world.catalog, config, {}, progress) if images else None
        raw = replace(described.encoders, config=replace(config.features, vectors="blocks"))
        found[f"content kNN, {modalities}"] = world.neighbours(raw.describe(world.catalog, album).content.vectors)
        found[f"GRU, {modalities}"] = world.network(described, content=True)
    pairs = [(name, other) for name in found for other in ("GRU, ids alone", name.replace("GRU", "content kNN"))
             if name.startswith("GRU, ") and name != "GRU, ids alone"]  # fmt: skip
    return summary(world, found, pairs)


def amazon(options: argparse.Namespace) -> list[dict]:
    """Ids alone against ids and attributes."""
    name = {"beauty": "Beauty", "toys": "Toys_and_Games"}[options.data]
    files = {"events": f"{name}.txt.gz", "items": f"{name}_item2attributes.json.gz"}
    data = {key: str(DATA / "amazon_s3rec" / file) for key, file in files.items()}
    world = World({**AMAZON, "data": data}, options)
    described = describe(world.config, world.dataset, progress)
    found = {"GRU, ids alone": world.network(described, content=False),
             "GRU, attributes": world.network(described, content=True)}  # fmt: skip
    return summary(world, found, [("GRU, attributes", "GRU, ids alone")])


def progress(step: str) -> None:
    """What is being done, on standard error."""
    print(step, file=sys.stderr)


def summary(world: World, found: dict[str, list[Evaluation]], pairs: list[tuple[str, str]]) -> list[dict]:
    """A row per model, and one per pair with the difference of the two."""
    rows = [{"model": name, **figures(world, evaluations)} for name, evaluations in found.items()]
    return rows + [{"model": f"{one} - {other}", **figures(world, found[one], found[other])} for one, other in pairs]


def figures(world: World, evaluations: list[Evaluation], against: list[Evaluation] | None = None) -> dict:
    """Means over questions (NDCG@10) and over answers (HR@20 by group), with intervals by bootstrap over users."""

    def mean(function) -> np.ndarray:
        own = np.mean([function(each) for each in evaluations], axis=0)
        return own if against is None else own - np.mean([function(each) for each in against], axis=0)

    users = len(world.queries)
    owners = np.repeat(np.arange(users), np.diff(world.queries.target_offsets))
    result = {"ndcg@10": interval(mean(lambda each: each.metric("ndcg@10")), np.arange(users), users)}
    hits = mean(lambda each: (each.ranks <= 20).astype(float))
    for name, chosen in world.groups().items():
        if chosen.any():
            result[f"hr@20 {name}"] = interval(hits[chosen], owners[chosen], users)
    return result


def interval(values: np.ndarray, owners: np.ndarray, users: int) -> dict:
    """The mean of (n,) values and its 95 % interval when the users they belong to are drawn again."""
    sums, counts = np.bincount(owners, values, users), np.bincount(owners, minlength=users)
    drawn = np.random.default_rng(0).multinomial(users, np.full(users, 1 / users), size=DRAWS)  # (draws, users)
    means = (drawn @ sums) / np.maximum(drawn @ counts, 1)
    low, high = np.quantile(means, [0.025, 0.975])
    return {"mean": float(values.mean()), "low": float(low), "high": float(high), "n": len(values)}


if __name__ == "__main__":
    main()
