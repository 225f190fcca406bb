"""`endcap demo`: a real shop from the package registry, in one go."""

from pathlib import Path

from endcap import config as configuration
from endcap.config import Config

ABOUT = """[bold]Complete Journey[/bold] (dunnhumby): 1.47 million grocery purchases of 2,469 households in 2017, real products and prices.
The whole log is read, checked and split by time; counting models are counted on all of its training part."""


def configs() -> list[Config]:
    """Counting models, a GRU and a transformer, sized so that all are done in minutes on two cores."""
    folder = Path(__file__).parent / "configs"
    return [configuration.load(folder / f"demo-{name}.toml") for name in ("popular", "transitions", "gru", "transformer")]
