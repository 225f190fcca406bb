"""The page of `endcap look`: one HTML file that opens offline, with photos and plots inside."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import altair as alt
import numpy as np
from markupsafe import Markup

from endcap import pictures
from endcap.data.vocabulary import Ints
from endcap.features import gradcam
from endcap.features.autoencoder import FeatureError
from endcap.features.similar import similar
from endcap.look import Look
from endcap.look_photos import Seen, Told
from endcap.page import INK, colour, environment, svg


@dataclass(frozen=True)
class Card:
    """A product as the page shows it."""

    item_id: str
    title: str
    category: str
    photo: str | None  # an address
    note: str = ""


def render(found: Look) -> str:
    """The page as text."""
    page = environment()
    page.filters |= {"share": _share, "short": _short}
    problems = found.problems
    modalities = list(dict.fromkeys(error.modality for error in found.errors))
    return page.get_template("look.html").render(
        look=found,
        catalog=found.listing.catalog,
        counts=found.album.counts if found.album else None,
        gist=gist(found),
        seen=found.seen,
        curves=_curves(found.seen) if found.seen else None,
        tables=[_table(told) for told in found.seen.columns if told.photos] if found.seen else [],
        heats=_heats(found) if found.seen and len(found.seen.rows) else [],
        sheets=_sheets(found),
        oddities=[(oddity, _card(found, _index(found, oddity.item_id))) for oddity in found.oddities],
        modalities=[(name, *_summary(found.errors, name)) for name in modalities],
        errors=_errors(found.errors, modalities),
        encoders=list(dict.fromkeys(encoder for column in found.columns for encoder in column.uses)),
        problems=problems.slice(0, SHOWN_PROBLEMS).to_pylist(),
        n_problems=len(problems),
        sorts=_sorts(problems["problem"].to_pylist()),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def gist(found: Look) -> list[str]:
    """What is worth knowing, a sentence each."""
    said = []
    if found.album is not None:
        counts = found.album.counts
        said.append(
            f"{counts.with_photos:,} of {counts.items:,} products have a usable photo ({counts.photos:,} in all)."
        )
    asked = [told for told in found.seen.columns if told.photos] if found.seen else []
    for first in asked[:1]:
        said.append(
            f"{first.name}: {_share(first.confusion.accuracy)} of {first.photos:,} photos held out are told right, "
            f"among {len(first.classes):,} classes; always saying the most frequent one gets {_share(first.usual)}."
        )
    if others := asked[1:]:
        said.append("Also told right: " + ", ".join(f"{o.name} {_share(o.confusion.accuracy)}" for o in others) + ".")
    odd = len(found.oddities)
    columns = Counter(oddity.column for oddity in found.oddities)
    where = ", ".join(f"{name} {n}" for name, n in columns.most_common())
    said.append(f"{odd} rows look odd ({where})." if odd else "No row looks odd.")
    if n := len(found.problems):
        said.append(f"{n:,} problems with rows and photos; all of them are in problems.csv.")
    return said


def _share(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.1%}".replace("%", " %")


def _short(text: str, most: int = 70) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _index(found: Look, item_id: str) -> int:
    return found.listing.catalog.item_ids.index(item_id) + 1


def _card(found: Look, item: int, note: str = "") -> Card:
    catalog = found.listing.catalog
    return Card(
        catalog.item_ids[item - 1],
        catalog.title(item),
        catalog.categories[item],
        pictures.first(found.album, item),
        note,
    )


def _sheets(found: Look) -> list[tuple[Card, list[Card]]]:
    """Some products that were not learned from, each with its nearest by the code."""
    code = found.described.products.code
    pool = found.parts.test if len(found.parts.test) else found.parts.known
    asked = _spread(found, pool[code.present[pool]])
    near = similar(code, asked, k=NEAREST)
    return [
        (
            _card(found, int(item)),
            [_card(found, int(other), f"{cosine:.2f}") for other, cosine in zip(items, cosines, strict=True) if other],
        )
        for item, items, cosines in zip(asked, near.items, near.cosines, strict=True)
    ]


def _spread(found: Look, pool: Ints) -> Ints:
    """Products of as many categories as can be, those with photos first; always the same ones."""
    categories = found.listing.catalog.categories
    owners = found.album.owners if found.album else np.zeros(0, np.int64)
    order = np.random.default_rng(0).permutation(pool)
    order = order[np.argsort(~np.isin(order, owners), kind="stable")]
    turn: Counter[str] = Counter()
    turns = np.zeros(len(order), np.int64)
    for place, item in enumerate(order):
        turns[place] = turn[categories[item]]
        turn[categories[item]] += 1
    return np.asarray(order[np.argsort(turns, kind="stable")][:SHEETS], dtype=np.int64)


def _heats(found: Look) -> list[dict[str, Any]]:
    """Photos with what spoke for what was said of them: half of them told right, half wrong, where there are both."""
    seen, encoder, album = found.seen, found.described.encoders.photos, found.album
    if seen is None or encoder is None or album is None:
        return []
    known = seen.codes[:, 0] >= 0
    wrong = np.flatnonzero(known & (seen.codes[:, 0] != seen.said[:, 0]))
    right = np.flatnonzero(known & (seen.codes[:, 0] == seen.said[:, 0]))
    random = np.random.default_rng(0)
    mistakes = random.permutation(wrong)[: HEATS // 2]
    chosen = np.concatenate([random.permutation(right)[: HEATS - len(mistakes)], mistakes])
    if not len(chosen):
        return []
    pixels = album.pixels[seen.rows[chosen]]
    maps = gradcam.heat(encoder.network, pixels, 0, seen.said[chosen, 0])
    classes = seen.columns[0].classes
    return [
        {
            "photo": pictures.address(picture),
            "heat": pictures.address(pictures.heated(picture, map_)),
            "title": found.listing.catalog.title(int(album.owners[seen.rows[place]])),
            "is": classes[seen.codes[place, 0]],
            "said": classes[seen.said[place, 0]],
            "right": seen.codes[place, 0] == seen.said[place, 0],
            "sure": float(seen.sure[place, 0]),
        }
        for place, picture, map_ in zip(chosen, pixels, maps, strict=True)
    ]


def _table(told: Told) -> dict[str, Any]:
    """One label column: its most frequent classes, its mistakes, the plot."""
    classes = told.per_class
    return {
        "told": told,
        "classes": classes[:CLASSES],
        "left_out": len(classes) - len(classes[:CLASSES]),
        "confused": told.confused(CONFUSED),
        "plot": _confusion(told),
        "plotted": min(PLOTTED, len(classes)),
    }


def _confusion(told: Told) -> Markup:
    """Of many classes those that are most often mistaken, the most frequent first."""
    counts = told.confusion.counts
    totals = counts.sum(1)
    wrong = totals + counts.sum(0) - 2 * np.diag(counts)
    there = np.flatnonzero(totals + counts.sum(0))
    chosen = np.sort(there[np.argsort(-wrong[there], kind="stable")][:PLOTTED])
    names = _last_levels([told.classes[code] for code in chosen])
    rows = [
        {"is": names[i], "said": names[j], "n": int(counts[a, b]), "share": float(counts[a, b] / max(totals[a], 1))}
        for i, a in enumerate(chosen)
        for j, b in enumerate(chosen)
    ]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("said:N", sort=names, title="what was said", axis=alt.Axis(labelAngle=-40, labelLimit=160)),
        y=alt.Y("is:N", sort=names, title="what it is", axis=alt.Axis(labelLimit=180)),
    )
    cells = base.mark_rect(color="#000a0b").encode(
        opacity=alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.03, 0.6]), legend=None)
    )
    text = base.mark_text(fontSize=11, color=INK).encode(text="n:Q").transform_filter("datum.n > 0")
    side = 40 * len(names)
    said = "; ".join(f"{a} taken for {b} {n} times" for a, b, n, _ in told.confused(5))
    return svg((cells + text).properties(width=max(side, 80), height=max(26 * len(names), 60)),
               f"Confusion matrix of {told.name}. {said or 'No mistakes'}.")  # fmt: skip


def _last_levels(names: Sequence[str]) -> list[str]:
    """`Men > Tops > Tees` -> `Tees`, where no other ends so."""
    last = [name.rpartition(" > ")[2] for name in names]
    ends = Counter(last)
    return [short if ends[short] == 1 else name for short, name in zip(last, names, strict=True)]


def _curves(seen: Seen) -> Markup | None:
    """Loss and accuracy of every epoch; None where nothing was trained by epochs."""
    if not seen.epochs:
        return None
    names = [told.name for told in seen.columns]
    losses = [{"epoch": epoch.epoch, "loss": epoch.loss} for epoch in seen.epochs]
    right = [
        {"epoch": epoch.epoch, "column": name, "accuracy": value}
        for epoch in seen.epochs
        for name, value in zip(names, epoch.accuracy, strict=False)  # no accuracy where none were held out
        if not np.isnan(value)
    ]
    ticks = list(range(1, len(seen.epochs) + 1, max(1, len(seen.epochs) // 10)))
    x = alt.X("epoch:Q", title="epoch", axis=alt.Axis(values=ticks, format="d"))
    dots = alt.OverlayMarkDef(size=18, filled=True)
    loss = alt.Chart(alt.InlineData(values=losses)).mark_line(point=dots, strokeWidth=1.8, color="#030a0b")
    panels = [
        loss.encode(x=x, y=alt.Y("loss:Q", title="training loss", scale=alt.Scale(zero=False))).properties(
            width=375, height=220
        )
    ]
    if right:
        line = alt.Chart(alt.InlineData(values=right)).mark_line(point=dots, strokeWidth=1.8)
        y = alt.Y("accuracy:Q", title="right on photos that choose the epoch", axis=alt.Axis(format="%"))
        panels.append(line.encode(x=x, y=y, color=colour("column", names)).properties(width=375, height=220))
    last = seen.epochs[-1]
    return svg(alt.hconcat(*panels, spacing=28), f"Training: {last.epoch} epochs, loss {last.loss:.3f} in the last.")


def _summary(errors: Sequence[FeatureError], modality: str) -> tuple[int, float]:
    own = [error.error for error in errors if error.modality == modality]
    return len(own), float(np.median(own))


def _errors(errors: Sequence[FeatureError], modalities: Sequence[str]) -> Markup | None:
    """The features that are given back worst, and best."""
    if not errors:
        return None
    half = len(errors) // 2
    groups = {"worst": errors[:BARS], "best": errors[max(len(errors) - BARS, half) :]} if half else {"all": errors}
    panels = []
    for title, own in groups.items():
        rows = [{"name": e.name, "modality": e.modality, "error": e.error, "place": n} for n, e in enumerate(own)]
        names = [error.name for error in own]
        bars = alt.Chart(alt.InlineData(values=rows)).mark_bar(height=11)
        panels.append(
            bars.encode(
                y=alt.Y("name:N", sort=names, title=None, axis=alt.Axis(labelLimit=190, ticks=False)),
                x=alt.X("error:Q", title=f"share of the variance lost: the {title}", axis=alt.Axis(tickCount=4)),
                color=colour("modality", modalities),
            ).properties(width=220, height=19 * len(rows))
        )
    said = f"worst {errors[0].name} with {errors[0].error:.2f}, best {errors[-1].name} with {errors[-1].error:.2f}"
    return svg(alt.hconcat(*panels, spacing=24), f"Share of the variance lost by feature: {said}.")


def _sorts(problems: Sequence[str]) -> list[tuple[str, int]]:
    """The most frequent problems; those with an id or number in them count one by one."""
    return Counter(problems).most_common(SHOWN_SORTS)


SHEETS, NEAREST, HEATS = 8, 6, 8
CLASSES, CONFUSED, PLOTTED = 30, 12, 15
BARS = 12
SHOWN_PROBLEMS, SHOWN_SORTS = 20, 12
