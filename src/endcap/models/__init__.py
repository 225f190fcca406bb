"""Models: the one place where they are named. A new model is one file and one line here."""

from endcap.models.base import ClosedForm, Network, Recommender, Traits
from endcap.models.ease import Ease, EaseConfig
from endcap.models.hybrid import Hybrid, HybridConfig
from endcap.models.knn import Knn, KnnConfig
from endcap.models.own import Own, OwnConfig
from endcap.models.popular import Popular, PopularConfig
from endcap.models.recurrent import Recurrent, RecurrentConfig
from endcap.models.transformer import Transformer, TransformerConfig
from endcap.models.transitions import Transitions, TransitionsConfig

CountingConfig = PopularConfig | TransitionsConfig | KnnConfig | EaseConfig | OwnConfig
ModelConfig = CountingConfig | RecurrentConfig | TransformerConfig | HybridConfig

__all__ = ["ClosedForm", "ModelConfig", "Network", "Recommender", "Traits", "build", "counting"]


def build(config: ModelConfig, traits: Traits) -> Recommender:
    """A model with fresh weights. Seed before: they are drawn here."""
    match config:
        case PopularConfig():
            return Popular(config, traits)
        case TransitionsConfig():
            return Transitions(config, traits)
        case KnnConfig():
            return Knn(config, traits)
        case EaseConfig():
            return Ease(config, traits)
        case OwnConfig():
            return Own(config, traits)
        case RecurrentConfig():
            return Recurrent(config, traits)
        case TransformerConfig():
            return Transformer(config, traits)
        case HybridConfig():
            return Hybrid([build(part, traits) for part in config.parts])


def counting(config: ModelConfig) -> bool:
    """Whether the model is counted or solved: nothing random, no epochs."""
    if isinstance(config, HybridConfig):
        return all(counting(part) for part in config.parts)
    return isinstance(config, CountingConfig)
