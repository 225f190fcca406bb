"""How the shop is set up."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StorefrontConfig:
    """What the catalogue does not say."""

    name: str = "Endcap"
    currency: str = "USD"  # of products whose row names none
    images: Path | None = None  # a folder or a zip with photos; None: the one that the artifact was trained with
    demo: bool = False  # visitors may step into users of the store: never for a real shop
    households: tuple[str, ...] = ()  # which users; none named: those with the longest histories
    growing: Path | None = None  # the folder of a demonstration whose models are trained beside the shop
