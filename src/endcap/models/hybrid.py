"""Counts, linear scores and networks as one model: their log-scores added, with weights from validation.

Counting models and networks make different mistakes; what each says is a logarithmic opinion pool (Genest and Zidek
1986), with one weight per part (see blending.py). `fitting.fit` fits each part as it would alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Discriminator
from torch import Tensor, nn

from endcap.data.batch import Batch
from endcap.data.errors import InputError
from endcap.data.interactions import Interactions
from endcap.data.ranges import Chance, CountOrNone
from endcap.features.base import Content
from endcap.models.base import Network, Recommender, sharing, sized_buffers
from endcap.models.blending import EPSILONS, FIRST, Blend, log_scores
from endcap.models.ease import EaseConfig
from endcap.models.knn import KnnConfig
from endcap.models.likeness import Likeness
from endcap.models.own import OwnConfig
from endcap.models.popular import PopularConfig
from endcap.models.recurrent import RecurrentConfig
from endcap.models.reranking import FACTS, Reranker, facts, reranked, trend_of
from endcap.models.sequence import SequenceNetwork
from endcap.models.transformer import TransformerConfig
from endcap.models.transitions import TransitionsConfig

PartConfig = (
    PopularConfig | TransitionsConfig | KnnConfig | EaseConfig | OwnConfig | RecurrentConfig | TransformerConfig
)

PARTS: tuple[PartConfig, ...] = (
    PopularConfig(),
    TransitionsConfig(),
    KnnConfig(),
    EaseConfig(max_items=12_500),  # half a minute
    OwnConfig(),
    RecurrentConfig(),
    TransformerConfig(heads=1),
)


@dataclass(frozen=True)
class HybridConfig:
    """Several models as one; validation says how much each counts, and leaves out those that bring nothing."""

    name: Literal["hybrid"] = "hybrid"
    parts: tuple[Annotated[PartConfig, Discriminator("name")], ...] = PARTS  # [[model.parts]], each a model's section
    worth: Chance = 0.005  # of the metric all that is left out may cost, for a part takes time; 0: none is left out
    rerank: CountOrNone = 100  # best items that are looked at again, where validation says so; 0: never
    questions: CountOrNone = 25_000  # of validation that choose all that, a random sample; 0: all
    epochs: tuple[CountOrNone, ...] = ()  # of each part, chosen on validation; none: [train] epochs

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("found no parts; expected at least one")
        if self.epochs and len(self.epochs) != len(self.parts):
            raise ValueError(f"found {len(self.epochs)} epochs; expected one for each of {len(self.parts)} parts")


class Hybrid(Recommender):
    """score(j) = sum over the parts of weight * log-score(j)."""

    weights: Tensor  # (parts,)
    levels: Tensor  # (parts,) a counting part's usual best score; 0 for networks
    epsilons: Tensor  # (parts,) what a count of nothing is worth
    counts: Tensor  # (n_items + 1,) training events of each item: the scores where nothing is known of a visitor
    trend: Tensor  # (n_items + 1,) whether demand for it grows

    def __init__(self, parts: Sequence[Recommender]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.history = max(part.history for part in parts)
        self.note = ""
        """What validation said of the parts, for a report."""
        self.register_buffer("weights", torch.full((len(parts),), FIRST))
        self.register_buffer("levels", self.counted.float())
        self.register_buffer("epsilons", torch.full((len(parts),), EPSILONS[0]))
        self.register_buffer("counts", torch.zeros(0))
        self.register_buffer("trend", torch.zeros(0))
        self.likeness = Likeness()
        self.reranker = Reranker(len(parts) + FACTS)

    @property
    def members(self) -> list[Recommender]:
        """The parts, in the order of the config."""
        return [part for part in self.parts if isinstance(part, Recommender)]

    @property
    def counted(self) -> Tensor:
        """(parts,) which parts count, so that their scores are no logarithms."""
        return torch.tensor([not isinstance(part, Network) for part in self.parts])

    def observe(self, train: Interactions, content: Content | None = None) -> None:
        """Counts the training part, tells where demand goes, and takes what is known of the items.

        The counts answer who is unknown: validation hardly ever asks for a visitor without a history.
        """
        self.counts = torch.from_numpy(np.bincount(train.items, minlength=train.n_items + 1)).float()
        self.counts[0] = 0
        self.trend = trend_of(train)
        if content is not None:
            self.likeness.observe(content)

    def take(self, blend: Blend, reranker: Reranker | None = None) -> None:
        """Weighs the parts as validation said, and looks at the best items again where it said so."""
        self.weights.copy_(blend.weights)
        self.levels.copy_(blend.levels)
        self.epsilons.copy_(blend.epsilons)
        self.reranker = reranker or Reranker(len(self.parts) + FACTS)

    def keep(self, other: "Hybrid") -> None:
        """Weighs the parts as another hybrid of the same parts does."""
        self.weights, self.levels, self.epsilons, self.note = other.weights, other.levels, other.epsilons, other.note
        self.reranker = other.reranker

    def facts(self, batch: Batch, items: Tensor) -> Tensor:
        """(questions, candidates, n) what is known of (questions, candidates) items beside what the parts say."""
        arrived = max(0, int(items.max()) + 1 - len(self.counts))
        return facts(batch, items, F.pad(self.counts, (0, arrived)), F.pad(self.trend, (0, arrived)), self.likeness)

    def score(self, batch: Batch) -> Tensor:
        """(batch, n_items + 1); each part sees the latest events that it looks at."""
        scores = [part.score(self._heard(part, latest(batch, part.history))) for part in self.members]
        width = max(each.shape[1] for each in scores)
        logs = []
        for each, level, epsilon in zip(scores, self.levels.tolist(), self.epsilons.tolist(), strict=True):
            # Items that came after training: a part that counts has never seen one of them.
            whole = F.pad(each, (0, width - each.shape[1]), value=0.0 if level else -torch.inf)
            logs.append(log_scores(whole, level, epsilon))
        result = torch.zeros(len(batch), width)
        for each, weight in zip(logs, self.weights.tolist(), strict=True):
            result.add_(each, alpha=weight)
        if n := min(int(self.reranker.top), width - 1):
            result[:, 0] = -torch.inf
            summed, items = result.topk(n, dim=1)
            said = torch.stack([each.gather(1, items) for each in logs], 2)
            features = torch.cat([said, self.facts(batch, items)], 2)
            result.scatter_(1, items, reranked(self.reranker, summed, features))
        unknown = batch.lengths == 0
        if unknown.any():
            result[unknown] = F.pad(self.counts, (0, width - len(self.counts)))
        return result

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: object) -> None:
        sized_buffers(self, state_dict, prefix)
        if (mean := state_dict.get(prefix + "reranker.mean")) is not None:
            self.reranker = Reranker(len(mean))  # of more numbers where something is known of the items
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _heard(self, part: Recommender, batch: Batch) -> Batch:
        """What a part knows of histories: counts have never heard of items that came after training."""
        networks = [each for each in self.members if isinstance(each, SequenceNetwork)]
        return known(batch, networks[0].items.n_items) if networks and not isinstance(part, Network) else batch

    def ready(self, made: Mapping[int, tuple[Tensor, Tensor]] | None = None) -> Self:
        """See Recommender; made: the tables of some of its networks, by their place, where somebody has them."""
        other = sharing(self)
        other.parts = nn.ModuleList(
            part.ready((made or {}).get(place)) if isinstance(part, Network) else part.ready()
            for place, part in enumerate(self.members)
        )
        return other

    def extend(self, content: Content) -> Self:
        """A copy that also scores new items, as far as its networks know them by `content`.

        Raises InputError where a network was trained without content.
        """
        if self.counted.all():
            raise InputError("the model has no network, and counts know items by their number alone")
        grown = [part.extend(content) if isinstance(part, Network) else part for part in self.members]
        other = type(self)(grown)
        other.keep(self)
        other.counts, other.trend = self.counts, self.trend
        if len(self.likeness):
            other.likeness.observe(content)
        return other.eval()


def latest(batch: Batch, n: int) -> Batch:
    """The same batch without what lies before the n latest events of each history."""
    starts = torch.maximum(batch.offsets[:-1], batch.offsets[1:] - n)
    lengths = batch.offsets[1:] - starts
    offsets = F.pad(lengths.cumsum(0), (1, 0))
    if offsets[-1] == batch.offsets[-1]:
        return batch
    places = torch.arange(int(offsets[-1])) + torch.repeat_interleave(starts - offsets[:-1], lengths)
    return _cut(batch, places, offsets)


def known(batch: Batch, n_items: int) -> Batch:
    """The same batch without the items above `n_items`."""
    keep = batch.items <= n_items
    if keep.all():
        return batch
    return _cut(batch, keep.nonzero().squeeze(1), F.pad(keep.cumsum(0), (1, 0))[batch.offsets])


def _cut(batch: Batch, places: Tensor, offsets: Tensor) -> Batch:
    """The tokens at `places`, and where each history starts among them."""

    def cut(each: Tensor | None) -> Tensor | None:
        return None if each is None else each[places]

    return Batch(
        batch.items[places], offsets, batch.kinds[places], cut(batch.times), batch.values[places], batch.goals[places],
        cut(batch.asked), cut(batch.targets),
    )  # fmt: skip
