"""The one loop: fits a model of one part to a training log and chooses on validation."""

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from endcap.data.augmentation import SequenceAugmentConfig, disturbed, reshaped
from endcap.data.errors import InputError
from endcap.data.interactions import Histories, Interactions
from endcap.data.questions import Questions
from endcap.data.ranges import Chance, Count, CountOrNone, NotNegative, Portion, Positive, Share
from endcap.data.split import Queries
from endcap.data.vocabulary import Floats, Ints
from endcap.evaluation import evaluate
from endcap.features.base import Content
from endcap.models import ClosedForm, ModelConfig, Network, Recommender, Traits, build
from endcap.models.sequence import SequenceNetwork
from endcap.models.warm import Start, warm_start
from endcap.ranking import CHUNK, scores

Metric = Literal["ndcg@10", "hr@10", "recall@10", "mrr@20", "ndcg@20", "hr@20"]


@dataclass(frozen=True)
class TrainConfig:
    """How networks are trained. Counting models use `seed`, `valid_queries` and `choose_events` alone."""

    epochs: Count = 60  # at most; validation may stop earlier
    patience: CountOrNone = 5  # epochs without a better validation metric; 0 trains all epochs
    metric: Metric = "ndcg@10"  # what validation maximises
    valid_queries: CountOrNone = 5_000  # a random sample of the validation questions; 0: all
    choose_events: CountOrNone = 300_000  # of a longer log, counting models choose their parameters on these; 0: all
    batch_tokens: Count = 1_024  # events a step
    share: Portion = 1.0  # of the windows an epoch looks at, for very long logs
    half_life: NotNegative = 0.0  # days after which a training answer is asked for half as often; 0: all alike
    goal_share: Share = 0.1  # of the questions that ask for [data] goal, where there is one
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"  # betas are 0.9 and 0.98; sgd has momentum
    learning_rate: Positive = 1e-3  # at its highest, after the warmup
    schedule: Literal["constant", "cosine", "linear"] = "constant"  # cosine and linear end at a twentieth of it
    warmup: CountOrNone = 100  # steps
    weight_decay: NotNegative = 0.01  # of matrices; biases, norms and scales have none
    momentum: Chance = 0.9  # of sgd
    clip: NotNegative = 5.0  # largest norm of the gradient; 0: never clipped
    augment: SequenceAugmentConfig = field(default_factory=SequenceAugmentConfig)  # how histories are varied
    seed: CountOrNone = 0  # of the weights, the order of batches and all samples


@dataclass(frozen=True)
class Epoch:
    """What one epoch did."""

    epoch: int
    loss: float
    metric: float  # on validation
    seconds: float
    events_per_second: float
    learning_rate: float


@dataclass(frozen=True)
class Fitted:
    """A fitted model, and how it came about."""

    model: Recommender
    config: ModelConfig  # with the values that validation chose
    epochs: list[Epoch]
    best_epoch: int  # 0 for counting models; of a hybrid the sum over its networks
    seconds: float
    values: Floats | None = None
    """(questions,) on validation, cross-fitted where more than an epoch was fitted to it; NaN where not drawn."""
    parts: "dict[str, Fitted]" = field(default_factory=dict)
    """What a hybrid was made of, by name, where that was asked for."""


@dataclass(frozen=True)
class Task:
    """What the model is for: which kind of event, which reviews count, whether seen items may be shown."""

    goal: str | None = None
    min_rating: float | None = None
    repeat: bool = False


@dataclass(frozen=True)
class Given:
    """What a model is fitted to."""

    train: Interactions
    valid: Queries | None
    task: Task
    content: Content | None


def fit_part(
    config: ModelConfig,
    given: Given,
    training: TrainConfig,
    *,
    start: Start | None = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None],
) -> Fitted:
    """Builds a model of one part and fits it; see `fitting.fit`, which fits any model."""
    started = time.perf_counter()
    train, valid, task, content = given.train, given.valid, given.task, given.content
    traits = Traits.of(train, content)
    sample = None if valid is None else sampled(valid, training.valid_queries, training.seed)
    torch.manual_seed(training.seed)
    model = build(config, traits)
    if isinstance(model, ClosedForm):
        if sample is not None:
            config = choose(config, train, sample, training, task)
            model = build(config, traits)
        assert isinstance(model, ClosedForm)
        model.fit(train)
        return Fitted(model.eval(), config, [], 0, time.perf_counter() - started)
    assert isinstance(model, Network)
    model.observe(train, content)
    if start is not None:
        warm_start(model, start.model, start.vocabulary, train.vocabulary)
    epochs, best = _train(model, train, sample, training, task, checkpoint, on_epoch)
    return Fitted(model.eval(), config, epochs, best, time.perf_counter() - started)


def choose(config: ModelConfig, train: Interactions, valid: Queries, training: TrainConfig, task: Task) -> ModelConfig:
    """Coordinate search over the grid of a counting model: one field at a time, the best kept.

    A long log is searched on a random sample of its users, but for what depends on how much there is; the chosen values
    are then fitted to all of it.
    """
    traits = Traits.of(train)

    def built(candidate: ModelConfig) -> ClosedForm:
        found = build(candidate, traits)
        assert isinstance(found, ClosedForm)
        return found

    def value(candidate: ClosedForm) -> float:
        return float(evaluate(candidate, valid, repeat=task.repeat).metric(training.metric).mean())

    some, first = _sample_users(train, training), built(config)
    whole = first.whole if some is not train else ()
    for log, names in ((some, [name for name in first.grid if name not in whole]), (train, whole)):
        if not names:
            continue
        model = built(config).fit(log)
        best = value(model)
        for name in names:
            for each in first.grid[name]:
                candidate = type(config)(**(asdict(config) | {name: each}))
                if candidate == config:
                    continue
                other = built(candidate)
                if name in model.scoring:
                    other.load_state_dict(model.state_dict())
                else:
                    other.fit(log)
                if (found := value(other)) > best:
                    config, model, best = candidate, other, found
    return config


def _sample_users(train: Interactions, training: TrainConfig) -> Interactions:
    share = training.choose_events / max(1, len(train.items))
    if not 0 < share < 1:
        return train
    n = max(1, round(share * len(train)))
    chosen = np.sort(np.random.default_rng(training.seed).choice(len(train), n, replace=False))
    some = train.take(chosen)
    ids = tuple(train.user_ids[user] for user in chosen)
    return Interactions(some.items, some.kinds, some.times, some.values, some.offsets, ids, train.vocabulary)


def sampled(valid: Queries, n: int, seed: int) -> Queries:
    """A random sample, all where n is 0: users are not in random order in real logs, so never the first ones."""
    return valid.take(drawn(len(valid), n, seed)) if 0 < n < len(valid) else valid


def drawn(questions: int, n: int, seed: int) -> Ints:
    """The places of a random sample of `n` questions, in their order; all where n is 0."""
    if not 0 < n < questions:
        return np.arange(questions)
    return np.sort(np.random.default_rng(seed).choice(questions, n, replace=False))


def _train(
    model: Network,
    train: Interactions,
    valid: Queries | None,
    training: TrainConfig,
    task: Task,
    checkpoint: Path | None,
    on_epoch: Callable[[Epoch], None],
) -> tuple[list[Epoch], int]:
    questions = _questions(train, training, task)
    alike = model.alike(training.augment.alike) if training.augment.substitute else None
    optimizer = _optimizer(model, training)
    state = _State(epochs=[], steps=0, best=-math.inf, best_epoch=0, weights=_copy(model))
    if checkpoint is not None:
        state = _resume(checkpoint, model, optimizer) or state
        for epoch in state.epochs:
            on_epoch(epoch)
    total = training.epochs * max(1, len(train.items) // training.batch_tokens)
    for number in range(len(state.epochs) + 1, training.epochs + 1):
        if valid is not None and training.patience and number - state.best_epoch > training.patience:
            break
        started = time.perf_counter()
        # One generator per epoch, so that a resumed run draws what an uninterrupted one would have drawn.
        random = np.random.default_rng((training.seed, number))
        torch.manual_seed(int(random.integers(2**62)))
        losses, weights, events = 0.0, 0, 0
        if training.augment.crop or training.augment.reorder:
            questions = _questions(reshaped(train, training.augment, random), training, task)
        model.train()
        for batch in questions.batches(
            random,
            history=model.history,
            tokens=training.batch_tokens,
            goal_share=training.goal_share,
            share=training.share,
            look=partial(disturbed, config=training.augment, alike=alike, random=random),
        ):
            assert batch.targets is not None
            asked = int((batch.targets > 0).sum())
            if not asked:
                continue
            for group in optimizer.param_groups:
                group["lr"] = training.learning_rate * _pace(training, state.steps, total)
            loss = model.loss(batch)
            optimizer.zero_grad()
            loss.backward()
            if training.clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), training.clip)
            optimizer.step()
            state.steps += 1
            losses, weights, events = losses + loss.item() * asked, weights + asked, events + len(batch.items)
        seconds = time.perf_counter() - started
        model.eval()
        if valid is not None:
            welcome(model, valid, task)
        metric = (
            math.nan
            if valid is None
            else float(evaluate(model, valid, repeat=task.repeat).metric(training.metric).mean())
        )
        rate = training.learning_rate * _pace(training, state.steps, total)
        epoch = Epoch(number, losses / max(weights, 1), metric, seconds, events / seconds, rate)
        state.epochs.append(epoch)
        if valid is None or metric > state.best:
            state.best, state.best_epoch, state.weights = metric, number, _copy(model)
        if checkpoint is not None:
            _save(checkpoint, model, optimizer, state)
        on_epoch(epoch)
    model.load_state_dict(state.weights)
    return state.epochs, state.best_epoch


def _questions(log: Histories, training: TrainConfig, task: Task) -> Questions:
    return Questions.of(log, task.goal, task.min_rating, half_life=training.half_life)


@torch.no_grad()
def welcome(model: Network, valid: Queries, task: Task) -> None:
    """Sets how likely items without training events are, all together: as often as validation asks for one.

    Training cannot tell, since there each answer has an event. One number is added to the scores of new items, so that
    the mean softmax mass on them is the share of the validation answers that they are; one answer of either sort is
    added, since that none was seen does not make it impossible.
    """
    if not isinstance(model, SequenceNetwork) or not model.items.has_new:
        return
    table = model.items
    answers = valid.targets[valid.targets > 0]
    share = ((answers > table.known).sum() + 1) / (len(answers) + 2)
    odds = []  # of each question, new against known items
    table.newness.zero_()
    for start in range(0, len(valid), CHUNK):
        chunk = valid.take(np.arange(start, min(start + CHUNK, len(valid))))
        scored = scores(model, chunk.histories, chunk.goals, chunk.asked, repeat=task.repeat)
        odds.append(scored[:, table.known + 1 :].logsumexp(1) - scored[:, 1 : table.known + 1].logsumexp(1))
    low, high = -50.0, 50.0
    for _ in range(40):  # the mass grows with the number: halve the interval
        middle = (low + high) / 2
        low, high = (low, middle) if float((torch.cat(odds) + middle).sigmoid().mean()) > share else (middle, high)
    table.newness.fill_(low)


def _optimizer(model: Network, training: TrainConfig) -> torch.optim.Optimizer:
    parameters = [
        {"params": [p for p in model.parameters() if p.dim() > 1], "weight_decay": training.weight_decay},
        {"params": [p for p in model.parameters() if p.dim() <= 1], "weight_decay": 0.0},  # biases, norms, the scale
    ]
    match training.optimizer:
        case "adamw":
            return torch.optim.AdamW(parameters, lr=training.learning_rate, betas=(0.9, 0.98), fused=True)
        case "adam":
            return torch.optim.Adam(parameters, lr=training.learning_rate, betas=(0.9, 0.98), fused=True)
        case "sgd":
            return torch.optim.SGD(parameters, lr=training.learning_rate, momentum=training.momentum)


def _pace(training: TrainConfig, step: int, total: int) -> float:
    """The share of the learning rate at a step: a linear start, then the schedule down to a twentieth."""
    start = min(1.0, (step + 1) / max(1, training.warmup))
    done = min(1.0, step / max(1, total))
    match training.schedule:
        case "constant":
            return start
        case "cosine":
            return start * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done)))
        case "linear":
            return start * (1 - 0.95 * done)


@dataclass
class _State:
    """Where the loop stands: what a checkpoint holds besides the weights and the optimizer."""

    epochs: list[Epoch]
    steps: int
    best: float
    best_epoch: int
    weights: dict[str, Tensor]  # of the best epoch


def _copy(model: Network) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _save(folder: Path, model: Network, optimizer: torch.optim.Optimizer, state: _State) -> None:
    """One file, replaced at once: a kill or a full disk at any moment leaves the old or the new one whole."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"model/{name}": tensor for name, tensor in _copy(model).items()}
    tensors |= {f"best/{name}": tensor for name, tensor in state.weights.items()}
    for index, slots in optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer/{index}/{name}": torch.as_tensor(slot) for name, slot in slots.items() if slot is not None
        }
    facts = {
        "epochs": [asdict(epoch) for epoch in state.epochs],
        "steps": state.steps,
        "best": state.best,
        "best_epoch": state.best_epoch,
    }
    temporary = folder / "checkpoint.tmp"
    try:
        safetensors.torch.save_file(
            {name: tensor.contiguous().clone() for name, tensor in tensors.items()},
            temporary,
            metadata={"state": json.dumps(facts)},
        )
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(folder / "checkpoint.safetensors")
    except (OSError, safetensors.SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise InputError(f"cannot write {temporary}: {error}; the checkpoint before it is whole") from error


def _resume(folder: Path, model: Network, optimizer: torch.optim.Optimizer) -> _State | None:
    path = folder / "checkpoint.safetensors"
    if not path.exists():
        return None
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
    try:
        with safetensors.safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()["state"])
            for key in file.keys():  # noqa: SIM118 (safe_open is no mapping)
                part, name = key.split("/", 1)
                parts[part][name] = file.get_tensor(key)
        model.load_state_dict(parts["model"])
    except (safetensors.SafetensorError, RuntimeError, KeyError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is damaged or of another model: {reason}; delete it to start again") from error
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["optimizer"].items():
        index, slot = name.split("/")
        slots.setdefault(int(index), {})[slot] = tensor
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})
    return _State(
        [Epoch(**epoch) for epoch in facts["epochs"]], facts["steps"], facts["best"], facts["best_epoch"], parts["best"]
    )
