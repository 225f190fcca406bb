"""`endcap demo`: a real shop from the package registry, in one go."""

from importlib import resources
from pathlib import Path

from endcap import config as configuration
from endcap.config import Config

ABOUT = """[bold]Complete Journey[/bold] (dunnhumby): real grocery purchases of 2,469 households in 2017.
The whole log is read, checked, cleaned and split by time, and counting models count all of its training part. So that
everything ends in minutes on two cores, an epoch of a network looks at a part of the windows, drawn anew each time
([train] share), and counting models choose their parameters on a sample of households ([train] choose_events)."""

MODELS = ("popular", "transitions", "gru", "transformer")


def configs() -> list[Config]:
    """Counting models, a GRU and a transformer, sized so that all are done in minutes on two cores."""
    folder = Path(str(resources.files("endcap") / "configs"))
    return [configuration.load(folder / f"demo-{name}.toml") for name in MODELS]
