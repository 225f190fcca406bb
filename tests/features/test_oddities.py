import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from endcap.data.backend import local
from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.schema import validate_items
from endcap.data.sources import read_items
from endcap.features.autoencoder import Autoencoder
from endcap.features.base import Block
from endcap.features.denoiser import AutoencoderConfig
from endcap.features.oddities import Oddity, oddest
from endcap.features.tabular import Tabular
from endcap.features.text import Text, TextConfig
from tests.features.shops import N_KINDS, Shop, shop

CONFIG = AutoencoderConfig(encoder=(64,), code=16, decoder=(64,), epochs=25, batch=64, learning_rate=3e-3)


def fitted(blocks: dict[str, Block]) -> Autoencoder:
    return Autoencoder(CONFIG).fit(blocks, np.arange(1, len(next(iter(blocks.values())).vectors)))


def erroneous() -> tuple[Shop, dict[str, int], dict[str, float]]:
    """A shop, ten items in the category after their own, and ten whose price is 100 times or a hundredth of theirs."""
    kinds = shop().kinds
    categories = {item: int(kinds[item] % N_KINDS + 1) for item in range(10, 110, 10)}
    prices = {item: 100.0 if item < 270 else 0.01 for item in range(210, 310, 10)}
    world = shop(categories=categories, prices=prices)
    return world, {f"sku{n}": kind for n, kind in categories.items()}, {f"sku{n}": by for n, by in prices.items()}


def test_planted_errors_are_the_oddest_and_the_reason_says_why() -> None:
    world, categories, prices = erroneous()
    found = oddest(world.catalog, world.blocks, fitted(world.blocks))
    assert len(found) <= 20
    assert [oddity.score for oddity in found] == sorted((oddity.score for oddity in found), reverse=True)
    by_id = {oddity.item_id: oddity for oddity in found}
    assert len(by_id) == len(found)
    right = [item_id for item_id in categories if item_id in by_id and by_id[item_id].column == "category"]
    right += [item_id for item_id in prices if item_id in by_id and by_id[item_id].column == "price"]
    assert len(right) >= 18
    for item_id, oddity in by_id.items():
        item = world.catalog.item_ids.index(item_id) + 1
        assert oddity.title == world.catalog.title(item)
        if item_id in categories:
            assert oddity.found == f"Kind {categories[item_id]}"
            assert oddity.expected == f"Kind {world.kinds[item]}"
            assert f"nearest products are in Kind {world.kinds[item]}" in oddity.reason
        if item_id in prices:
            assert oddity.reason.startswith(f"price {oddity.found}: 16 of its 20 nearest products cost ")


def test_a_shop_without_errors_has_nothing_odd() -> None:
    world = shop()
    assert len(oddest(world.catalog, world.blocks, fitted(world.blocks))) <= 2


def test_a_photo_of_another_kind_is_found_by_the_rest() -> None:
    world = shop()
    block = world.blocks["photo"]
    vectors = block.vectors.copy()
    for item in range(10, 60, 10):
        other = np.flatnonzero(world.kinds == world.kinds[item] % N_KINDS + 1)[0]
        vectors[item] = vectors[other]
    blocks = world.blocks | {"photo": Block(vectors, block.present, block.names)}
    found = oddest(world.catalog, blocks, fitted(blocks), photo="photo")
    assert {oddity.item_id for oddity in found if oddity.column == "image"} == {f"sku{n}" for n in range(10, 60, 10)}
    assert found[0].reason.startswith(f"photo like {found[0].found}: ")
    assert found[0].expected == world.catalog.categories[world.catalog.item_ids.index(found[0].item_id) + 1]


def test_a_category_of_one_product_is_not_odd() -> None:
    """Its neighbours cannot be in it: that says nothing."""
    world = shop()
    table = world.catalog.table
    names = [*table["category"].to_pylist()]
    names[4] = "Gift cards"
    column = table.column_names.index("category")
    alone = Catalog(table.set_column(column, "category", pa.array(names, pa.string())))
    assert "sku5" not in {oddity.item_id for oddity in oddest(alone, world.blocks, fitted(world.blocks))}


def test_empty_rows_are_told_but_take_few_of_the_places() -> None:
    world = shop()
    empty = list(range(500, 600))
    columns = {
        name: pa.array(
            [None if place in empty else value for place, value in enumerate(world.catalog.table[name].to_pylist())],
            world.catalog.table.schema.field(name).type,
        )
        for name in ("title", "category", "price")
    }
    table = world.catalog.table
    for name, column in columns.items():
        table = table.set_column(table.column_names.index(name), name, column)
    present = np.array([item - 1 not in empty and item > 0 for item in range(601)])
    blocks = {
        name: Block(np.where(present[:, None], block.vectors, 0), present, block.names)
        for name, block in world.blocks.items()
    }
    found = [oddity for oddity in oddest(Catalog(table), blocks, fitted(blocks)) if oddity.found == "nothing"]
    assert len(found) == 4
    assert found[0].reason == "no title, category, brand, description or price, as of 99 other products"


def test_blocks_of_another_catalogue_are_an_error() -> None:
    world, other = shop(60), shop(50)
    with pytest.raises(InputError, match="found 60 items in the tabular block and 50 in the catalogue"):
        oddest(other.catalog, world.blocks, fitted(world.blocks))


def test_a_catalogue_without_categories_and_prices_has_no_such_errors() -> None:
    world = shop(60)
    bare = Catalog.from_table(world.catalog.table.select(["item_id", "title"]), world.catalog.item_ids)
    assert oddest(bare, world.blocks, fitted(world.blocks)) == []


def test_errors_planted_into_a_real_shop_are_found() -> None:
    """Magento's Luma: 188 products with real prices; ten prices times 100, five categories of another department."""
    catalog = real("magento_luma")
    prices, categories = catalog.prices[1:], list(catalog.categories[1:])
    dear = range(0, 180, 18)
    prices[list(dear)] *= 100
    moved = range(5, 185, 36)
    for place in moved:
        categories[place] = "Women > Bottoms > Shorts" if categories[place].startswith("Gear") else "Gear > Bags"
    found = odd(catalog, {"price": pa.array(prices, pa.float64()), "category": pa.array(categories, pa.string())})
    planted = {catalog.item_ids[place] for place in (*dear, *moved)}
    assert len({oddity.item_id for oddity in found} & planted) > 0.7 * len(planted)


def test_categories_planted_into_real_articles_are_found() -> None:
    """H&M has errors of its own, which come among them: twenty are looked for among the forty oddest of 2,000."""
    whole = real("hm_sample")
    described = [place for place, category in enumerate(whole.categories[1:]) if category][:8_000:4]
    catalog = Catalog(whole.table.take(described).drop_columns(["product_type_name", "product_group_name"]))
    categories = np.array(catalog.categories[1:])
    names, counts = np.unique(categories, return_counts=True)
    frequent = names[counts >= 50]
    random = np.random.default_rng(0)
    places = random.choice(np.flatnonzero(np.isin(categories, frequent)), 20, replace=False)
    for place in places:
        top = categories[place].partition(" > ")[0]
        categories[place] = random.choice([name for name in frequent if name.partition(" > ")[0] != top])
    found = odd(catalog, {"category": pa.array(categories.tolist(), pa.string())}, k=40)
    assert len({oddity.item_id for oddity in found} & {catalog.item_ids[place] for place in places}) > 12


def odd(catalog: Catalog, columns: dict[str, pa.Array], k: int = 20) -> list[Oddity]:
    table = catalog.table
    for name, column in columns.items():
        table = table.set_column(table.column_names.index(name), name, column)
    changed = Catalog(table)
    known = np.arange(1, len(changed) + 1)
    text = Text(TextConfig(category=0.0, dim=32)).fit(changed, known)
    blocks = {"tabular": Tabular().fit(changed, known).transform(changed), "text": text.transform(changed)}
    return oddest(changed, blocks, fitted(blocks), k=k)


def real(name: str) -> Catalog:
    given = os.environ.get("ENDCAP_DATA")
    path = (Path(given) if given else Path(__file__).parents[3] / "shared" / "data") / name
    if not path.exists():
        pytest.skip(f"{name} is neither in $ENDCAP_DATA nor in ../shared/data")
    path = path / "items_in_transactions.csv" if name == "hm_sample" else path
    backend = local(threads=1)
    rows = validate_items(backend, read_items(backend, path).frame).items.toArrow()
    return Catalog.from_table(rows, sorted(rows["item_id"].to_pylist()))
