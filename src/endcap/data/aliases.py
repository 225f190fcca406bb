"""Events that name a variant's id or an SKU mean its product."""

from dataclasses import replace

from endcap.data.backend import Backend, DataFrame
from endcap.data.schema import EVENT_COLUMNS, Validated


def resolve(backend: Backend, validated: Validated, aliases: DataFrame | None) -> Validated:
    """The events with products in place of what `aliases` (alias, item_id) names; a note says how many those were."""
    if aliases is None:
        return validated
    F = backend.F  # noqa: N806
    named = aliases.select("alias", F.col("item_id").alias("product"))
    joined = validated.events.join(named, on=F.col("item_id") == F.col("alias"), how="left")
    events = joined.select(
        *[
            F.coalesce(F.col("product"), F.col("item_id")).alias(name) if name == "item_id" else F.col(name)
            for name in EVENT_COLUMNS
        ]
    )
    found = validated.events.join(named, on=F.col("item_id") == F.col("alias"), how="inner").count()
    note = f"{found:,} events name a variant or an SKU and count for its product"
    return replace(validated, events=backend.view(events), notes=(*validated.notes, *[note] * bool(found)))
