"""What `endcap tune` varies: a search space for each model, and the `[tune]` table of a TOML that changes it.

Keys are those that `--set` takes. Of two numbers, one of them with a point, a range is made, searched by its logarithm;
any other list is a choice; an empty list leaves the key as the config has it.

```toml
[tune]
"train.learning_rate" = [1e-4, 1e-2]
"model.dim" = [32, 64, 128]
"model.dropout" = []
```
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import tomli_w
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from endcap import config as configuration
from endcap.config import Config
from endcap.data.errors import InputError
from endcap.fitting import of_part
from endcap.models import ModelConfig, counting
from endcap.models.hybrid import HybridConfig
from endcap.models.knn import Knn
from endcap.models.own import Own
from endcap.models.popular import Popular
from endcap.models.transitions import Transitions

Space = dict[str, list[Any]]
"""A key -> the two ends of a range, or choices; the config's own value is inside."""

_NETWORK: Space = {
    "train.learning_rate": [3e-4, 1e-2],
    "train.weight_decay": [0.0, 0.01, 0.1],
    "model.dim": [32, 64, 128, 256],
    "model.dropout": [0.0, 0.1, 0.2, 0.3, 0.5, 0.7],
}
_RECURRENT: Space = _NETWORK | {"model.hidden": [64, 128, 256], "model.layers": [1, 2]}
SPACES: dict[str, Space] = {
    "rnn": _RECURRENT,
    "lstm": _RECURRENT,
    "gru": _RECURRENT,
    "transformer": _NETWORK | {"model.layers": [1, 2, 3], "model.heads": [1, 2, 4]},
    "ease": {"model.penalty": [10.0, 2_000.0], "model.decay": [0.3, 1.0]},
}
"""What is varied where [tune] says nothing."""

OWN_CHOICES = {"popular": Popular.grid, "transitions": Transitions.grid, "knn": Knn.grid, "own": Own.grid}
"""What these models choose themselves while they are fitted (see training.choose)."""

YARDSTICK = ("model.name", "train.metric", "train.valid_queries", "train.choose_events", "train.seed")
"""Keys that would change what is measured, or let luck win."""


@dataclass(frozen=True)
class Target:
    """A model that is tuned by itself: the one of the config, or a network of a hybrid."""

    name: str  # of the study
    config: Config  # as it is trained alone
    space: Space
    place: int | None = None  # among the parts of the hybrid


def targets(config: Config, asked: Mapping[str, Any]) -> list[Target]:
    """What is to be tuned; `asked` is the [tune] table.

    Raises InputError where there is nothing to tune, or [tune] says what cannot be varied.
    """
    entries = dict(_flat(asked))
    for key, values in entries.items():
        _check_list(key, values)
    if isinstance(config.model, HybridConfig):
        places = [place for place, part in enumerate(config.model.parts) if not counting(part)]
        tried = [_part(config, config.model, place, entries, alone=len(places) == 1) for place in places]
    else:
        tried = [Target(config.model.name, config, _space(config, entries, SPACES.get(config.model.name, {})))]
    found = [target for target in tried if target.space]
    if not found:
        name = config.model.name
        chosen = ", ".join(OWN_CHOICES.get(name, ())) or "the parameters of its counting parts" * (name == "hybrid")
        why = f"{name} chooses {chosen} itself, whenever it is trained; " if chosen else ""
        raise InputError(f"found nothing to tune: {why}name what else to vary in [tune]")
    return found


def _part(config: Config, hybrid: HybridConfig, place: int, entries: Mapping[str, Any], *, alone: bool) -> Target:
    """A network of a hybrid. There is one [train] for all of them: it is varied where there is one network alone."""
    part = hybrid.parts[place]
    names = {each.name for each in hybrid.parts if not counting(each)}
    own: dict[str, Any] = {}
    for key, values in entries.items():
        section, _, rest = key.partition(".")
        if section == "train" and not alone:
            raise InputError(f"found [tune] {key}, but the networks of a hybrid share [train]; vary it for one of them")
        if key == "train.epochs" and hybrid.epochs:
            raise InputError(
                "found [tune] train.epochs, but [model] epochs of the hybrid says how long its parts train"
            )
        if section not in (*names, "train"):
            raise InputError(f"found [tune] {key}; expected a key of {', '.join(sorted(names))} or train")
        if section == "train":
            own[key] = values
        elif section == part.name:
            own[f"model.{rest}"] = values
    usual = {key: values for key, values in SPACES[part.name].items() if alone or not key.startswith("train.")}
    apart = replace(config, model=part, train=of_part(hybrid, place, config.train))
    return Target(f"{place}-{part.name}", apart, _space(apart, own, usual), place)


def _flat(table: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    """`model.dim = …` and `"model.dim" = …` are the same."""
    for name, each in table.items():
        if isinstance(each, Mapping):
            yield from _flat(each, f"{section}{name}.")
        else:
            yield f"{section}{name}", each


def _check_list(key: str, values: Any) -> None:
    """Raises InputError where these are neither a range nor choices."""
    expected = "expected a range of two numbers, such as [0.0001, 0.01], or choices, such as [32, 64, 128]"
    if not isinstance(values, list) or not all(isinstance(each, bool | int | float | str) for each in values):
        raise InputError(f"found [tune] {key} = {values!r}; {expected}")
    if is_range(values) and not 0 < values[0] < values[1] < math.inf:
        raise InputError(
            f"found [tune] {key} = {values!r}; a range is searched by its logarithm: expected a number above 0 and a "
            "larger one; to have 0 in it, give three or more choices"
        )


def is_range(values: Sequence[Any]) -> bool:
    """Two numbers, one of them with a point; two whole numbers are choices."""
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
    return len(values) == 2 and numbers and any(isinstance(each, float) for each in values)


def _space(config: Config, asked: Mapping[str, Any], usual: Space) -> Space:
    """The usual space with what is asked in its place, each with the config's own value."""
    for key, values in asked.items():
        _check_key(key, config.model)
        for value in _probes(values):
            try:
                applied(config, {key: value})
            except InputError as error:
                raise InputError(f"[tune] {key}: {error}") from error
    found = {}
    for key, values in (usual | dict(asked)).items():
        fitting = values if is_range(values) else [value for value in values if _fits(config, key, value)]
        whole = _with_own(key, fitting, value_of(config, key)) if fitting else []
        if len(whole) > 1:
            found[key] = whole
    return found


def _check_key(key: str, model: ModelConfig) -> None:
    if key.partition(".")[0] not in ("model", "train"):
        raise InputError(f"found [tune] {key}; expected a key of [model] or [train]: the rest says what is asked")
    if key in YARDSTICK:
        raise InputError(f"found [tune] {key}; it says how trials are measured, and must be the same for all")
    if key.removeprefix("model.") in OWN_CHOICES.get(model.name, ()):
        raise InputError(f"found [tune] {key}; {model.name} chooses it itself, whenever it is trained")


def _probes(values: Sequence[Any]) -> Sequence[Any]:
    """Choices; of a range both ends and a number between, which is no whole one."""
    return [*values, values[0] * (values[1] / values[0]) ** 0.37] if is_range(values) else values


def _fits(config: Config, key: str, value: Any) -> bool:
    """Whether a choice goes with the rest of the config: of the usual choices some may not."""
    try:
        applied(config, {key: value})
    except InputError:
        return False
    return True


def _with_own(key: str, values: list[Any], own: Any) -> list[Any]:
    """The first trial is the config as given, so its value belongs to the space."""
    if not is_range(values):
        return values if own in values else [*values, own]
    if not own > 0:
        raise InputError(
            f"found [tune] {key} = {values!r} and {own!r} in the config, which is in no range; "
            "give three or more choices, or another value in the config"
        )
    return [float(min(values[0], own)), float(max(values[1], own))]


def own_values(target: Target) -> dict[str, Any]:
    """The config as given, as a point of the space."""
    return {
        key: float(value_of(target.config, key)) if is_range(values) else value_of(target.config, key)
        for key, values in target.space.items()
    }


def value_of(config: Config, key: str) -> Any:
    """What a config has for a key, such as `model.dim`."""
    found: Any = config
    for name in key.split("."):
        found = getattr(found, name)
    return found


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The space as Optuna has it."""
    return {
        key: FloatDistribution(values[0], values[1], log=True) if is_range(values) else CategoricalDistribution(values)
        for key, values in space.items()
    }


def applied(config: Config, values: Mapping[str, Any]) -> Config:
    """The config with other values, by the way of `--set`; raises InputError where it cannot have them."""
    document = configuration.without_none(asdict(config))
    settings = [
        f"{key}={tomli_w.dumps({'value': value}).removeprefix('value = ').strip()}" for key, value in values.items()
    ]
    configuration.override(document, settings)
    return configuration.check(document, "with " + ", ".join(settings))


def put_back(config: Config, found: Sequence[tuple[Target, Mapping[str, Any]]]) -> Config:
    """The config with the values that were found for each target; a hybrid gets its parts."""
    hybrid = config.model
    if not isinstance(hybrid, HybridConfig):
        ((_, values),) = found
        return applied(config, values)
    parts = list(hybrid.parts)
    for target, values in found:
        part = applied(target.config, values).model
        assert target.place is not None
        assert not isinstance(part, HybridConfig)
        parts[target.place] = part
        config = applied(config, {key: value for key, value in values.items() if key.startswith("train.")})
    return replace(config, model=replace(hybrid, parts=tuple(parts)))
