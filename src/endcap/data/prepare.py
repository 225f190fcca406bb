"""The order of cleaning and splitting: copies first, then the split, then whatever counts training events."""

from dataclasses import dataclass

from endcap.data.backend import Backend, DataFrame
from endcap.data.clean import CleanConfig, Step, clean_rows, clean_training
from endcap.data.errors import InputError
from endcap.data.mark import SplitConfig, mark
from endcap.data.repeats import Repeats
from endcap.data.schema import Validated


@dataclass(frozen=True)
class Prepared:
    """Clean events that know their part."""

    events: DataFrame  # EVENT_COLUMNS; part is train, valid, test or history
    steps: tuple[Step, ...]
    cuts: tuple[float, float] | None  # seconds since 1970, of the temporal split


def prepare_tables(
    backend: Backend,
    validated: Validated,
    clean: CleanConfig,
    split: SplitConfig,
    *,
    found: Repeats | None = None,
) -> Prepared:
    """Cleans and splits; `found` are the repeats of `validated.events`, where `endcap check` looked for them before.

    Raises InputError when nothing is left, or when the events do not fit the split.
    """
    if validated.events.limit(1).isEmpty():
        raise InputError(
            f"none of the {validated.rows:,} rows can be used; `endcap check` lists what is wrong with each"
        )
    rows = clean_rows(backend, validated.events, clean, found)
    marked = mark(backend, rows.events, split)
    steps = list(rows.steps)
    if marked.dropped:
        left = marked.events.count()
        note = "training events of the validation targets' items, taken out as the source did for its test targets"
        steps.append(Step("validation repeats", left + marked.dropped, left, note))
    training = clean_training(backend, marked.events, clean)
    return Prepared(training.events, (*steps, *training.steps), marked.cuts)
