"""What `endcap tune` leaves behind: best.toml, the model card card.md, and the page tune.html."""

import math
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import altair as alt
from markupsafe import Markup

from endcap import config as configuration
from endcap.config import Config
from endcap.data.dataset import Dataset
from endcap.data.places import write
from endcap.models import counting
from endcap.models.hybrid import HybridConfig
from endcap.page import COLOURS, environment, svg
from endcap.search_space import is_range, value_of
from endcap.tuning import STARTUP, Tried, Tuned, Tuning, warmup

SHOWN = 5
"""Trials that a table of the best has."""
_SHADES = {"done": COLOURS[0], "pruned": COLOURS[1], "failed": COLOURS[5]}


def save(tuning: Tuning, dataset: Dataset, out: Path) -> None:
    """Writes the three files; best.toml only where there is a best."""
    write(out / "card.md", card(tuning, dataset))
    write(out / "tune.html", render(tuning, dataset))
    if tuning.best is not None:
        said = "".join(f"# {line}\n" for line in ("The best that `endcap tune` found; see card.md.", *gist(tuning)))
        write(out / "best.toml", said + configuration.dumps(tuning.best))


def gist(tuning: Tuning) -> list[str]:
    """A sentence or two about each study."""
    lines = []
    for tuned in tuning.tuned:
        lines += _said(tuned, whose=f"{tuned.target.name}: " if _is_hybrid(tuning.config) else "")
    if _is_hybrid(tuning.config) and tuning.best is not None:
        lines.append("Each network was tuned alone; what the hybrid gains by it is seen when it is trained.")
    return lines


def _said(tuned: Tuned, whose: str) -> list[str]:
    metric, given = tuned.target.config.train.metric.upper(), tuned.given
    if not tuned.ranked:
        return [f"{whose}No trial was trained to its end."]
    best = tuned.ranked[0]
    figure = f"validation {metric} {best.value:.4f}"
    if best.given:
        return [f"{whose}No trial is better than the config as given, {figure}."]
    start = f"{whose}The best is trial {best.number}, {figure}"
    if given is None or given.state != "done":
        return [f"{start}; the config as given came to no figure" + (f": {given.message}." if given else ".")]
    more = f"{best.value / given.value - 1:.1%} more than ".replace("%", " %") if given.value else "against "
    return [
        f"{start}, {more}the config as given with {given.value:.4f}.",
        f"{whose}The figure is optimistic: it is the largest of {tuned.count('done')} on the same questions.",
    ]


def _is_hybrid(config: Config) -> bool:
    return isinstance(config.model, HybridConfig)


def shown(tuned: Tuned) -> list[Tried]:
    """The trials of a table: the best few, and the config as given."""
    ranked = tuned.ranked
    return ranked[:SHOWN] + [trial for trial in ranked[SHOWN:] if trial.given]


def summary(tuning: Tuning) -> dict[str, Any]:
    """For JSON."""
    found = []
    for tuned in tuning.tuned:
        best = tuned.ranked[0] if tuned.ranked else None
        found.append(
            {
                "study": tuned.target.name,
                "metric": tuned.target.config.train.metric,
                "trials": {state: tuned.count(state) for state in _SHADES},
                "best": None if best is None else _line(best),
                "given": None if tuned.given is None else _line(tuned.given),
                "importance": tuned.importance,
                "search_space": tuned.target.space,
                "failures": {str(trial.number): trial.message for trial in tuned.trials if trial.message},
                "seconds": sum(trial.seconds for trial in tuned.trials),
            }
        )
    return {"studies": found, "stopped": tuning.stopped}


def _line(trial: Tried) -> dict[str, Any]:
    return {"trial": trial.number, "valid": trial.value, "values": trial.values, "seconds": trial.seconds}


def card(tuning: Tuning, dataset: Dataset) -> str:
    """The model card as Markdown."""
    lines = [f"# {tuning.config.model.name} tuned on {dataset.name}", ""]
    lines += [f"- {sentence}" for sentence in gist(tuning)]
    lines += ["- The test part was not looked at. `endcap train best.toml OUT` measures the config on it, once.", ""]
    lines += ["## Data", "", *_table(("what", "value"), [*facts(tuning, dataset).items()])]
    for tuned in tuning.tuned:
        lines += _card_of(tuned, f" of {tuned.target.name}" if _is_hybrid(tuning.config) else "")
    lines += ["## Made by", "", *_table(("what", "version"), [*versions().items()])]
    return "\n".join(lines).rstrip() + "\n"


def _card_of(tuned: Tuned, name: str) -> list[str]:
    metric = tuned.target.config.train.metric.upper()
    lines = [f"## Search{name}", "", f"{method(tuned)}", ""]
    lines += _table(
        ("key", "searched", "as given", "best"),
        [
            (f"`{key}`", space_in_words(values), _said_value(value_of(tuned.target.config, key)), _best(tuned, key))
            for key, values in tuned.target.space.items()
        ],
    )
    given = tuned.given
    lines += _table(
        ("trials", "value"),
        [
            ("trained to the end", tuned.count("done")),
            ("pruned", tuned.count("pruned")),
            ("failed", tuned.count("failed")),
            (f"validation {metric}, best", _number(tuned.ranked[0].value) if tuned.ranked else "–"),
            (f"validation {metric}, config as given", "–" if given is None else _number(given.value)),
            ("time, all trials", duration(sum(trial.seconds for trial in tuned.trials))),
        ],
    )
    if failed := [trial for trial in tuned.trials if trial.state == "failed"]:
        lines += ["Failed:", "", *(f"- trial {trial.number}: {trial.message}" for trial in failed), ""]
    if tuned.importance:
        shares = ", ".join(f"`{key}` {share:.0%}" for key, share in tuned.importance.items())
        lines += [f"What mattered, by a forest over {tuned.count('done')} trials, roughly: {shares}.", ""]
    return lines


def method(tuned: Tuned) -> str:
    """How the search went, in words."""
    train = tuned.target.config.train
    metric = train.metric.upper()
    said = (
        f"The config as given comes first. Values are then drawn at random, and by Optuna's TPE once {STARTUP} trials "
        f"are finished (seed {train.seed}). The best is chosen by {metric} over all validation questions."
    )
    if counting(tuned.target.config.model):
        return said
    return said + (
        f" After {STARTUP} trials, one is pruned where, from epoch {warmup(tuned.target)} on, its best so far is below "
        "the median of the others at that epoch; the config as given never is."
    )


def facts(tuning: Tuning, dataset: Dataset) -> dict[str, Any]:
    """What the models learned from and were chosen on."""
    config = tuning.config
    found = {
        "data": dataset.name,
        "format": dataset.facts["format"],
        "rows read": f"{dataset.facts['rows']:,}",
        "events used": f"{dataset.table.num_rows:,}",
        "split": config.split.method,
        "goal": config.data.goal or "any kind of event",
    }
    learned = next((tuned.facts for tuned in tuning.tuned if tuned.facts), {})
    found |= {name: f"{value:,}" if isinstance(value, int) else value for name, value in learned.items()}
    return found | {f"sha256 of {Path(path).name}": digest[:16] for path, digest in dataset.files.items()}


def versions() -> dict[str, str]:
    """Of what the figures depend on."""
    return {"Python": platform.python_version()} | {name: version(name) for name in ("endcap", "optuna", "torch")}


def space_in_words(values: Sequence[Any]) -> str:
    """A range or its choices."""
    if is_range(values):
        return f"{values[0]:g} to {values[1]:g}, by its logarithm"
    return ", ".join(_said_value(each) for each in values)


def _best(tuned: Tuned, key: str) -> str:
    return _said_value(tuned.ranked[0].values[key]) if tuned.ranked else "–"


def _said_value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.4f}"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """As Markdown has it."""
    lines = [[str(cell).replace("|", "\\|") for cell in row] for row in (head, *rows)]
    lines.insert(1, ["---"] * len(head))
    return [*("| " + " | ".join(line) + " |" for line in lines), ""]


def render(tuning: Tuning, dataset: Dataset) -> str:
    """The page as text."""
    page = environment()
    page.filters |= {"number": _number, "duration": duration, "said": _said_value, "space": space_in_words}
    return page.get_template("tune.html").render(
        name=dataset.name,
        model=tuning.config.model.name,
        gist=gist(tuning),
        facts=facts(tuning, dataset),
        versions=versions(),
        studies=[
            {
                "name": tuned.target.name,
                "metric": tuned.target.config.train.metric.upper(),
                "method": method(tuned),
                "tuned": tuned,
                "keys": [
                    (key, values, _said_value(value_of(tuned.target.config, key)), _best(tuned, key))
                    for key, values in tuned.target.space.items()
                ],
                "shown": shown(tuned),
                "seconds": sum(trial.seconds for trial in tuned.trials),
                "counts": {state: tuned.count(state) for state in _SHADES},
                "history": _history(tuned),
                "curves": _curves(tuned),
                "importance": _importance(tuned.importance),
            }
            for tuned in tuning.tuned
        ],
        swatches={state: f"c{COLOURS.index(shade)}" for state, shade in _SHADES.items()},
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def _state_colour() -> alt.Color:
    return alt.Color("state:N", scale=alt.Scale(domain=list(_SHADES), range=list(_SHADES.values())), legend=None)


def _history(tuned: Tuned) -> Markup | None:
    """What each trial came to, and the best up to it; None where nothing came to a figure."""
    best, line, points = -math.inf, [], []
    for trial in sorted(tuned.trials, key=lambda trial: trial.number):
        if trial.state == "done":
            best = max(best, trial.value)
        if not math.isnan(trial.value):
            points.append({"trial": trial.number, "value": trial.value, "state": trial.state})
        if best > -math.inf:
            line.append({"trial": trial.number, "best": best})
    if not line:
        return None
    metric = tuned.target.config.train.metric.upper()
    x = alt.X("trial:Q", title="trial", axis=alt.Axis(tickMinStep=1, format="d"))
    y = alt.Y("best:Q", title=f"validation {metric}", scale=alt.Scale(zero=False))
    steps = (
        alt.Chart(alt.InlineData(values=line))
        .mark_line(interpolate="step-after", strokeWidth=2, color=COLOURS[0])
        .encode(x=x, y=y)
    )
    dots = (
        alt.Chart(alt.InlineData(values=points))
        .mark_point(filled=True, size=60, opacity=0.9)
        .encode(x=x, y=alt.Y("value:Q"), color=_state_colour())
    )
    chart = (steps + dots).properties(width=800, height=240)
    return svg(chart, f"Validation {metric} of each trial; the best after {len(tuned.trials)} is {best:.4f}.")


def _curves(tuned: Tuned) -> Markup | None:
    """Validation by epoch, a line per trial; None for what is counted."""
    rows = [
        {"trial": trial.number, "epoch": epoch, "value": value, "state": trial.state}
        for trial in tuned.trials
        for epoch, value in trial.curve.items()
    ]
    if not rows:
        return None
    metric = tuned.target.config.train.metric.upper()
    chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_line(point=alt.OverlayMarkDef(size=16, filled=True), strokeWidth=1.4, opacity=0.75)
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d")),
            y=alt.Y("value:Q", title=f"validation {metric}", scale=alt.Scale(zero=False)),
            detail="trial:N",
            color=_state_colour(),
        )
        .properties(width=800, height=240)
    )
    return svg(chart, f"Validation {metric} by epoch, a line per trial; {tuned.count('pruned')} were pruned.")


def _importance(shares: Mapping[str, float]) -> Markup | None:
    """Bars, the largest first; None where too few trials were done."""
    if not shares:
        return None
    rows = [{"key": key, "share": share} for key, share in shares.items()]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y("key:N", sort=list(shares), title=None, axis=alt.Axis(ticks=False)),
        x=alt.X("share:Q", title="share", axis=alt.Axis(format="%", tickCount=5), scale=alt.Scale(zero=True)),
    )
    bars = base.mark_bar(height=14, color=COLOURS[0])
    said = ", ".join(f"{key} {share:.0%}" for key, share in shares.items())
    return svg(bars.properties(width=560, height=28 * len(rows)), f"What mattered: {said}.")
