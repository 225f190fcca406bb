"""A second look at the best items of a hybrid: a small network over what its parts say, and what else is known of each.

Two stages, as in large recommenders (Covington et al., RecSys 2016): the weighted sum finds the candidates, which a
stacked model (Wolpert 1992) puts in order. What no part knows is beside their scores: how lately the visitor had the
item, how like it is to what the visitor had, how long the history is, and whether demand for the item grows. It is
trained by the listwise softmax (ListNet, Cao et al. 2007) of held-out answers.
"""

import torch
from torch import Tensor, nn

from endcap.data.batch import Batch
from endcap.data.interactions import Interactions, staleness
from endcap.models.likeness import WAYS, Likeness
from endcap.models.popular import goals
from endcap.models.transitions import ages

FACTS = 8
"""Numbers that are known of a candidate beside what the parts say; see `facts`."""
LIKENESS = 4 * WAYS
"""As many more where something is known of the items themselves."""
FORGETTING = 0.8
"""What an event counts of the next one, where the history is a mean of its events."""
LOOK_BACK = 50
"""Latest events in which a candidate is looked for."""
RECENT = 0.05
"""Share of the log's span after which an event counts half for the demand of today."""
STEADY = 3.0
"""Events that are added to either demand: of an item with few, little can be said."""
WIDTH, DROPOUT = 32, 0.1
EPOCHS, QUESTIONS, LEARNING_RATE = 16, 64, 3e-3
"""How it is trained: times through the questions, questions a step, and the highest rate."""


class Reranker(nn.Module):
    """What is added to the weighted sum for each candidate; nothing before it is fitted."""

    mean: Tensor  # (features,)
    scale: Tensor  # (features,)
    top: Tensor  # () candidates that are looked at again; 0: none

    def __init__(self, features: int) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # what is not fitted is the same in every artifact
            last = nn.Linear(WIDTH, 1)
            self.net = nn.Sequential(
                nn.Linear(features, WIDTH), nn.GELU(), nn.Dropout(DROPOUT),
                nn.Linear(WIDTH, WIDTH), nn.GELU(),
                last,
            )  # fmt: skip
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.register_buffer("top", torch.tensor(0))

    def forward(self, features: Tensor) -> Tensor:
        """(questions, candidates, features) -> (questions, candidates); of more than it was fitted to, the first."""
        more: Tensor = self.net((features[:, :, : len(self.mean)] - self.mean) / self.scale)
        return more.squeeze(2)


def facts(batch: Batch, items: Tensor, counts: Tensor, trend: Tensor, likeness: Likeness) -> Tensor:
    """(questions, candidates, FACTS) what is known of the (questions, candidates) items, and of who asks.

    FACTS + LIKENESS where `likeness` knows the items: how like a candidate is to the last event of the history, to the
    most alike, to all of them and to the later ones rather than the earlier.

    Of an item: how lately the history has it, 1 / (1 + steps since), by an event of the kind asked for and by another;
    in how many events; how many events it has in training, and their trend. Of the history: how many events it has,
    which share of them came back to an item, and whether the last one did.
    """
    lengths, (n, width) = batch.lengths, items.shape
    back = torch.arange(max(1, min(LOOK_BACK, int(lengths.max()))))
    inside = back < lengths.unsqueeze(1)  # (questions, back)
    places = torch.where(inside, batch.offsets[1:].unsqueeze(1) - 1 - back, 0)
    if not len(batch.items):
        return torch.zeros(n, width, FACTS + LIKENESS * bool(len(likeness)))
    past = batch.items[places].where(inside, -1 - back)  # no event is like another where there is none
    near = 1 / (1.0 + ages(batch, torch.repeat_interleave(lengths))[places])
    asked = goals(batch).unsqueeze(1)
    wanted = (batch.kinds[places] == asked) | (asked == 0)
    had = items.unsqueeze(2) == past.unsqueeze(1)  # (questions, candidates, back)
    of_kind = [torch.where(had & each.unsqueeze(1), near.unsqueeze(1), 0.0).amax(2) for each in (wanted, ~wanted)]
    same = past.unsqueeze(2) == past.unsqueeze(1)  # (questions, back, back)
    again = same.tril(-1).any(1)  # (questions, back) whether an older one is the same
    of_history = [lengths.float().log1p(), again.sum(1) / inside.sum(1).clamp(min=1), again[:, 0].float()]
    told = [each.unsqueeze(1).expand(n, width) for each in of_history]
    known = torch.stack([*of_kind, had.sum(2).float(), counts[items].log1p(), trend[items], *told], 2)
    if not len(likeness):
        return known
    return torch.cat([known, _summed_up(likeness(items, past.clamp(min=0)), inside)], 2)


def _summed_up(alike: Tensor, inside: Tensor) -> Tensor:
    """(questions, candidates, LIKENESS) of (questions, candidates, back, WAYS) likenesses, the latest event first.

    inside: (questions, back) where there is an event.
    """
    shares = torch.stack([inside.float(), inside * FORGETTING ** torch.arange(inside.shape[1])], 2)
    shares = shares / shares.sum(1, keepdim=True).clamp(min=1e-9)  # (questions, back, means)
    means = torch.einsum("qcbw,qbm->qcwm", alike, shares)
    most = torch.where(inside[:, None, :, None], alike, -1.0).amax(2)
    return torch.cat([alike[:, :, 0].unsqueeze(3), most.unsqueeze(3), means], 3).flatten(2)


def trend_of(train: Interactions) -> Tensor:
    """(n_items + 1,) the logarithm of how the item's share of the latest events compares with its share of all."""
    size = train.n_items + 1
    weights = torch.from_numpy(0.5 ** (staleness(train) / RECENT))
    items = torch.from_numpy(train.items)
    counts = torch.bincount(items, minlength=size).double()
    recent = torch.bincount(items, weights, minlength=size) * (len(items) / weights.sum().clamp(min=1e-9))
    return ((recent + STEADY) / (counts + STEADY)).log().float()


def reranked(reranker: Reranker, summed: Tensor, features: Tensor) -> Tensor:
    """(questions, n) scores in place of the (questions, n) best sums: in a new order, none below the lowest of them.

    features: (questions, n, features). What has no sum (-inf) keeps none.
    """
    shown = summed > -torch.inf
    again = (summed + reranker(features)).masked_fill(~shown, torch.inf)
    lowest = summed.masked_fill(~shown, torch.inf).amin(1, keepdim=True)
    return (again - again.amin(1, keepdim=True) + lowest).masked_fill(~shown, -torch.inf)


def fit_reranker(features: Tensor, summed: Tensor, answers: Tensor) -> Reranker:
    """The reranker by which the answers are likeliest among the candidates.

    features: (questions, n, features); summed: (questions, n) the weighted sums, -inf where there is no candidate;
    answers: (questions, n) the share of a question's answers that each candidate is.
    """
    shown = summed > -torch.inf
    summed, features = summed.masked_fill(~shown, 0.0), features.masked_fill(~shown.unsqueeze(2), 0.0)
    asked = answers.sum(1).nonzero()[:, 0]
    reranker = Reranker(features.shape[2])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        reranker.top.fill_(summed.shape[1])
        seen = features[shown]
        reranker.mean.copy_(seen.mean(0))
        reranker.scale.copy_(torch.where(seen.std(0) > 1e-6, seen.std(0), 1.0))
        optimizer = torch.optim.AdamW(reranker.parameters(), lr=LEARNING_RATE)
        steps = EPOCHS * -(-len(asked) // QUESTIONS)
        pace = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=max(1, steps))
        for _ in range(EPOCHS):
            for some in asked[torch.randperm(len(asked))].split(QUESTIONS):
                scored = (summed[some] + reranker(features[some])).masked_fill(~shown[some], -torch.inf)
                wanted = answers[some]
                surprise = scored.logsumexp(1) * wanted.sum(1) - torch.where(wanted > 0, wanted * scored, 0.0).sum(1)
                optimizer.zero_grad()
                (surprise.sum() / wanted.sum()).backward()
                optimizer.step()
                pace.step()
    return reranker.eval().requires_grad_(requires_grad=False)
