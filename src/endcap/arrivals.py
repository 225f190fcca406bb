"""Products that came after training: described by the encoders in the artifact, then recommended like any other."""

from dataclasses import replace

import pyarrow as pa

from endcap.artifact import Artifact
from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.photos.album import Album
from endcap.models import Network
from endcap.models.hybrid import Hybrid


def with_arrivals(artifact: Artifact, new: Catalog, photos: Album | None) -> Artifact:
    """The artifact with a row for each product of `new` that it does not know; what was learned is the same.

    Raises InputError where its model knows products by their number alone.
    """
    if artifact.described is None or not isinstance(artifact.model, Network | Hybrid):
        raise InputError(
            f"the model {artifact.config.model.name} knows products by their number alone, so new ones cannot be "
            "recommended; train a network with --use tabular,text"
        )
    known = set(artifact.vocabulary.ids)
    arrived = [item_id for item_id in new.item_ids if item_id not in known]
    if not arrived:
        return artifact
    encoders, products = artifact.described.encoders, artifact.described.products
    products = products.joined(encoders.describe(new, photos).of(arrived))
    rows = pa.concat_tables(
        [artifact.catalog.table, Catalog.from_table(new.table, arrived).table], promote_options="permissive"
    )
    return replace(
        artifact,
        traits=replace(artifact.traits, n_items=len(products.item_ids)),
        vocabulary=artifact.vocabulary.extend(arrived),
        catalog=Catalog(rows),
        model=artifact.model.extend(products.content),
        described=replace(artifact.described, products=products),
    )
