"""The catalogues of shops: rows folded into products, names that resolve to them, bad values reported by row."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from endcap.data.backend import local
from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.schema import validate_items
from endcap.data.sources import Items, read_items
from tests.data.sources.test_real import folder

BACKEND = local(threads=1)


def load(path: Path, text: str | bytes, **options: Any) -> Items:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_items(BACKEND, path, **options)


def csv_text(header: str, *rows: Sequence[object], delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(header.split(";"))
    writer.writerows(rows)
    return out.getvalue()


def products(items: Items) -> dict[str, dict[str, Any]]:
    """item_id -> what is known of it, as the catalogue has it after validation."""
    rows = validate_items(BACKEND, items.frame).items.toArrow().to_pylist()
    return {row["item_id"]: {name: each for name, each in row.items() if each is not None} for row in rows}


def aliases(items: Items) -> dict[str, str]:
    return {} if items.aliases is None else {row["alias"]: row["item_id"] for row in items.aliases.collect()}


def problems(items: Items) -> list[tuple[object, ...]]:
    return [] if items.problems is None else sorted(tuple(row) for row in items.problems.collect())


OLD = (
    "Handle;Title;Body (HTML);Vendor;Type;Tags;Option1 Name;Option1 Value;Option2 Name;Option2 Value;Variant SKU;"
    "Variant Inventory Tracker;Variant Inventory Qty;Variant Price;Image Src;Variant Image;Status"
)
NEW = (
    "URL handle;Title;Description;Vendor;Type;Tags;Option1 name;Option1 value;Option2 name;Option2 value;SKU;"
    "Inventory tracker;Inventory quantity;Price;Product image URL;Variant image URL;Status"
)


@pytest.mark.parametrize("header", [OLD, NEW])
def test_shopify_rows_of_a_handle_are_one_product(tmp_path: Path, header: str) -> None:
    body = "<p>Warm &amp; <b>soft</b></p><ul><li>Wool</li><li>Green</li></ul>"
    items = load(
        tmp_path / "products.csv",
        csv_text(
            header,
            ("hat", "Hat", body, "Acme", "Hats", "winter, wool", "Size", "S", "Colour", "Red", "H-S", "shopify", 2, 20,
             "1.jpg", "s.jpg", "active"),
            ("hat", "", "", "", "", "", "", "L", "", "Blue", "H-L", "shopify", -3, "22.50", "2.jpg", "", ""),
            ("hat", "", "", "", "", "", "", "", "", "", "", "", "", "", "3.jpg", "", ""),
            ("tea", "Tea", "", "Leaf", "Drinks", "", "Title", "Default Title", "", "", "T", "", 0, 3, "", "", "draft"),
        ),
    )  # fmt: skip
    assert items.format == "shopify"
    assert products(items) == {
        "hat": {
            "item_id": "hat", "title": "Hat", "description": "Warm & soft Wool Green", "brand": "Acme",
            "category": "Hats", "price": 20.0, "price_max": 22.5, "stock": "2", "colour": "Red|Blue", "size": "S|L",
            "tags": "winter|wool", "image": "1.jpg|s.jpg|2.jpg|3.jpg", "Status": "active",
        },
        # stock that is not counted never runs out
        "tea": {"item_id": "tea", "title": "Tea", "brand": "Leaf", "category": "Drinks", "price": 3.0,
                "price_max": 3.0, "stock": "in stock", "Status": "draft"},
    }  # fmt: skip
    assert aliases(items) == {"H-S": "hat", "H-L": "hat", "T": "tea"}
    assert not problems(items)
    assert items.columns["colour"] == "options called Color"
    assert any("kept under their own names: Status" in note for note in items.notes)


def test_a_sku_in_two_products_is_nobodys(tmp_path: Path) -> None:
    header = "Handle;Title;Variant SKU;Variant Price"
    rows = [("hat", "Hat", "A", 5), ("cap", "Cap", "A", 7), ("cup", "Cup", "hat", 1), ("", "None", "B", 1)]
    items = load(tmp_path / "p.csv", csv_text(header, *rows))
    assert aliases(items) == {}
    assert {item: product["price"] for item, product in products(items).items()} == {"hat": 5, "cap": 7, "cup": 1}
    assert problems(items) == [
        (2, "items.item_id", "A", "in the products hat (row 1) and cap at another price (7, not 5); events with it "
         "are not resolved"),
        (3, "items.item_id", "hat", "a variant of cup, but the id of another product; events with it are that one's"),
        (4, "items.item_id", "", "no item_id; row left out"),
    ]  # fmt: skip


def test_a_variant_twice_counts_once(tmp_path: Path) -> None:
    header = "Handle;Title;Variant SKU;Variant Inventory Qty;Variant Price"
    rows = [("hat", "Hat", "A", 4, 5), ("hat", "", "A", 4, 1), ("hat", "", "A", 4, 5)]
    items = load(tmp_path / "p.csv", csv_text(header, *rows))
    assert products(items)["hat"] == {"item_id": "hat", "title": "Hat", "stock": "4", "price": 5.0, "price_max": 5.0}
    assert problems(items) == [
        (2, "items.item_id", "A: 1", "was in row 1 before with another price (5); row left out"),
        (3, "items.item_id", "A", "was in row 1 before; row left out"),
    ]


WOO = (
    "ID;Type;SKU;Name;Short description;Description;In stock?;Stock;Regular price;Categories;Tags;Images;Parent;"
    "Attribute 1 name;Attribute 1 value(s);Attribute 2 name;Attribute 2 value(s)"
)


def test_woocommerce_variations_name_their_parent_by_id_or_sku(tmp_path: Path) -> None:
    items = load(
        tmp_path / "wc.csv",
        csv_text(
            WOO,
            (10, "variable", "HAT", "Hat", "<b>Short</b>", "", 1, "", "", "Clothes, Clothes > Hats, Salt\\, pepper",
             "a, b", "https://x/1.jpg, https://x/2.jpg", "", "Color", "Red, Blue", "Fit", "Slim"),
            (11, "variation", "HAT-R", "Hat - Red", "", "", 0, 0, 20, "", "", "https://x/3.jpg", "id:10", "Color",
             "Red", "", ""),
            (12, "variation", "HAT-B", "Hat - Blue", "", "", 1, "", 25, "", "", "", "HAT", "Color", "Blue", "", ""),
            (13, "variation", "LOST", "Lost", "", "", 1, "", 9, "", "", "", "id:99", "", "", "", ""),
            (14, "simple, virtual", "", "Card", "", "", 1, "", 5, "", "", "", "", "", "", "", ""),
        ),
    )  # fmt: skip
    assert items.format == "woocommerce"
    found = products(items)
    assert found["10"] == {
        "item_id": "10", "title": "Hat", "category": "Clothes > Hats", "price": 20.0, "price_max": 25.0,
        "stock": "in stock", "description": "Short", "image": "https://x/1.jpg|https://x/2.jpg|https://x/3.jpg",
        "categories": "Clothes|Clothes > Hats|Salt, pepper", "colour": "Red|Blue", "tags": "a|b",
        "attributes": "Fit=Slim",
    }  # fmt: skip
    assert list(found) == ["10", "13", "14"]
    assert found["13"]["product_code"] == "99"  # as of its sisters, whose parent is not there either
    assert aliases(items) == {"HAT": "10", "11": "10", "HAT-R": "10", "12": "10", "HAT-B": "10", "LOST": "13"}
    assert problems(items) == [
        (4, "items.Parent", "id:99", "no such product in the file; kept as a product of its own")
    ]


FEED = "id;title;description;link;image_link;additional_image_link;availability;price;brand;product_type;"
FEED += "item_group_id;color"


def test_merchant_feed_as_text(tmp_path: Path) -> None:
    items = load(
        tmp_path / "feed.txt",
        csv_text(
            FEED,
            ("1", "Hat", "Warm", "l", "a.jpg", "b.jpg,c.jpg", "out_of_stock", "15.00 USD", "B", "Hats", "G",
             "Red/Blue"),
            ("2", "Hat", "Warm", "l", "d.jpg", "", "in_stock", "12.50 USD", "B", "Hats", "G", "Green"),
            ("3", "Tea", "", "l", "e.jpg", "", "preorder", "9.00 EUR", "", "Tea", "", ""),
            ("4", "Rum", "", "l", "f.jpg", "", "in_stock", "free", "", "Rum", "", ""),
            delimiter="\t",
        ),
    )  # fmt: skip
    found = products(items)
    assert found["G"] | {"link": ""} == {
        "item_id": "G", "title": "Hat", "category": "Hats", "brand": "B", "price": 12.5, "price_max": 15.0,
        "stock": "in_stock", "description": "Warm", "image": "a.jpg|b.jpg|c.jpg|d.jpg", "currency": "USD",
        "colour": "Red|Blue|Green", "product_code": "G", "link": "",
    }  # fmt: skip
    assert "price" not in found["3"]
    assert aliases(items) == {"1": "G", "2": "G"}
    assert problems(items) == [
        (3, "items.price", "9.00 EUR", "another currency than the catalogue's USD; value left empty"),
        (4, "items.price", "free", "not a number; value left empty"),
    ]


RSS = """<?xml version="1.0"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0"><channel><title>Shop</title>
<item><g:id>1</g:id><title>Hat</title><g:description>&lt;p&gt;Warm &amp;amp; soft&lt;/p&gt;</g:description>
<g:image_link>a.jpg</g:image_link><g:additional_image_link>b.jpg</g:additional_image_link>
<g:additional_image_link>c.jpg</g:additional_image_link><g:price>15.00 USD</g:price>
<g:item_group_id>G</g:item_group_id><g:shipping><g:price>5 USD</g:price></g:shipping></item>
<item><g:id>007</g:id><g:title><![CDATA[Tea <hot>]]></g:title><g:price>1 USD</g:price></item>
</channel></rss>"""


@pytest.mark.parametrize("name", ["feed.xml", "feed.xml.gz"])
def test_merchant_feed_as_xml(tmp_path: Path, name: str) -> None:
    items = load(tmp_path / name, gzip.compress(RSS.encode()) if name.endswith("gz") else RSS)
    assert items.format == "merchant"
    assert products(items) == {
        "G": {"item_id": "G", "title": "Hat", "price": 15.0, "price_max": 15.0, "currency": "USD",
              "description": "Warm & soft", "image": "a.jpg|b.jpg|c.jpg", "product_code": "G"},
        "007": {"item_id": "007", "title": "Tea", "price": 1.0, "price_max": 1.0, "currency": "USD"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (RSS.replace("</channel>", ""), r"no well-formed XML: mismatched tag at line 8, column 3"),
        (RSS[:400], "no well-formed XML: .* at line"),
        ('<!DOCTYPE rss [<!ENTITY a SYSTEM "file:///etc/passwd">]><rss>&a;</rss>', "declares a document type"),
        ('<!DOCTYPE rss [<!ENTITY a "aaa"><!ENTITY b "&a;&a;">]><rss>&b;</rss>', "declares a document type"),
        (RSS.replace("g:id", "g:nr"), "has no id; expected a feed with id and title"),
        ('<rss version="2.0"><channel></channel></rss>', "has no id and no title"),
    ],
)  # fmt: skip
def test_feeds_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path / "feed.xml", text)


def test_google_retail_variants_fold(tmp_path: Path) -> None:
    lines: list[dict[str, object]] = [
        {"id": "v1", "type": "VARIANT", "primaryProductId": "p", "title": "Hat red", "availableQuantity": 2,
         "priceInfo": {"price": 9, "currencyCode": "EUR"}, "colorInfo": {"colors": ["Red"]}, "sizes": ["S"]},
        {"id": "p", "type": "PRIMARY", "title": "Hat", "categories": ["Clothes", "Clothes > Hats"],
         "images": [{"uri": "a.jpg"}, {"uri": "b.jpg"}], "attributes": {"fit": {"text": ["slim"]}}, "x": {"y": 1}},
        {"id": "v2", "type": "VARIANT", "primaryProductId": "p", "title": "Hat blue", "availableQuantity": 3,
         "priceInfo": {"price": 8.5, "currencyCode": "EUR"}, "colorInfo": {"colors": ["Blue"]}, "images": "odd"},
    ]  # fmt: skip
    items = load(tmp_path / "products.jsonl", "\n".join(map(json.dumps, lines)) + "\n{broken\n")
    assert products(items) == {
        "p": {"item_id": "p", "title": "Hat", "category": "Clothes > Hats", "categories": "Clothes|Clothes > Hats",
              "price": 8.5, "price_max": 9.0, "currency": "EUR", "stock": "5", "image": "a.jpg|b.jpg",
              "colour": "Red|Blue", "size": "S", "attributes": "fit=slim", "x": '{"y":1}', "type": "PRIMARY"},
    }  # fmt: skip
    assert aliases(items) == {"v1": "p", "v2": "p"}
    assert [(row, problem) for row, *_, problem in problems(items)] == [(4, "not a JSON object")]


def test_magento_folder(tmp_path: Path) -> None:
    (tmp_path / "LICENSE.txt").write_text("Free.\n")
    (tmp_path / "reviews.csv").write_text("sku,rating\nA,1\n")
    header = "sku;store_view_code;product_type;categories;name;price;qty;base_image;"
    header += "additional_attributes;configurable_variations"
    paths = "Default Category/Men/Tops,Default Category/Sale,Default Category"
    (tmp_path / "a.csv").write_text(
        csv_text(
            header,
            ("P-S", "", "simple", paths, "Shirt S", 12, 3, "/s.jpg", "size=S,color=Red,climate=Hot|R&amp;D", ""),
            ("P-M", "", "simple", paths, "Shirt M", 10, 4, "/m.jpg", "size=M,color=Red,has_options=0", ""),
            ("P", "", "configurable", paths, "Shirt", "", "", "/p.jpg", "", "sku=P-S,size=S|sku=P-M,size=M|sku=P-L"),
            ("P", "fr", "configurable", "", "Chemise", "", "", "", "", ""),
        )
    )
    gear = "category;name;sku;price;qty;description;material;attribute_set"
    (tmp_path / "b.csv").write_text(
        csv_text(gear, ("Gear\nBags\nSale", "Bag", "B", 34, 1, "<p>Big</p>", "Nylon\nSilk", "Bag"))
    )
    items = read_items(BACKEND, tmp_path)
    found = products(items)
    assert found["P"] == {
        "item_id": "P", "title": "Shirt", "category": "Men > Tops", "categories": "Men > Tops|Sale", "price": 10.0,
        "price_max": 12.0, "stock": "7", "image": "p.jpg|s.jpg|m.jpg", "colour": "Red", "size": "S|M",
        "attributes": "climate=Hot|climate=R&D",
    }  # fmt: skip
    assert (found["B"]["category"], found["B"]["material"], found["B"]["description"]) == (
        "Gear > Bags",
        "Nylon|Silk",
        "Big",
    )
    # the variant L has no row of its own, yet events may name it
    assert aliases(items) == {"P-S": "P", "P-M": "P", "P-L": "P"}
    assert any("1 rows for single store views" in note for note in items.notes)


def test_hm_articles_of_both_files(tmp_path: Path) -> None:
    header = "article_id;product_code;prod_name;product_type_name;product_group_name;colour_group_name;detail_desc"
    (tmp_path / "articles.csv").write_text(csv_text(header, ("0108", "010", "Top", "Vest top", "Upper", "Black", "")))
    rows = [
        ("0108", "010", "Top", "Vest top", "Upper", "", "Jersey"),
        ("0109", "010", "", "", "", "", ""),
        ("0109",) * 7,
    ]
    (tmp_path / "items.csv").write_text(csv_text(header, *rows))
    items = read_items(BACKEND, tmp_path)
    found = products(items)
    assert list(found) == ["0108", "0109"]
    assert (found["0108"]["colour"], found["0108"]["description"]) == ("Black", "Jersey")
    assert (found["0108"]["category"], found["0109"]["product_code"]) == ("Upper > Vest top", "010")
    assert problems(items) == [(4, "items.item_id", "0109", "was in row 3 before; row left out")]
    assert not aliases(items)


@pytest.mark.parametrize("name", ["a_item2attributes.json", "a_item2attributes.json.gz"])
def test_attributes(tmp_path: Path, name: str) -> None:
    text = b'{"007": [1, 2], "8": [], "9": "x", "007": [3]}'
    items = load(tmp_path / name, gzip.compress(text) if name.endswith("gz") else text)
    assert items.format == "attributes"
    assert products(items) == {"007": {"item_id": "007", "attributes": "1|2"}, "8": {"item_id": "8"}}
    assert [(row, problem) for row, *_, problem in problems(items)] == [
        (3, "expected a list of ids; row left out"), (4, "was in row 1 before; row left out"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [('{"1": [1, 2], "2": [3', "is no whole JSON: "), ('[{"a": 1}]', "is no JSON object"), ("{}", "has no products")],
)
def test_wrong_attributes(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load(tmp_path / "x.json", text, format="attributes")


def test_plain_tables_are_tidied(tmp_path: Path) -> None:
    rows = [("a", "Tea &amp; milk", "1,50 €", "<p>Hot</p>", "red"), ("b", "Rum", "2.50 EUR", "x < y", ""),
            ("c", "Gin", "3.00 USD", "", ""), ("d", "Beer", "cheap", "", ""),
            ("a", "Tea", "9 EUR", "", "")]  # fmt: skip
    items = load(tmp_path / "items.csv", csv_text("id;title;price;description;color", *rows))
    found = products(items)
    assert items.format == "csv"
    assert found["a"] == {"item_id": "a", "title": "Tea & milk", "price": 1.5, "description": "Hot", "colour": "red"}
    assert (found["b"]["price"], found["b"]["description"]) == (2.5, "x < y")
    assert problems(items) == [
        (3, "items.price", "3.00 USD", "another currency than the catalogue's EUR; value left empty"),
        (4, "items.price", "cheap", "not a number; value left empty"),
    ]
    again = validate_items(BACKEND, items.frame).problems.collect()
    assert [(row["row"], row["problem"]) for row in again] == [
        (5, "item_id was there before at another price; row left out")
    ]


def test_currencies_in_a_column_of_their_own(tmp_path: Path) -> None:
    rows = [("a", 1, "usd"), ("b", 2, "USD"), ("c", 3, "EUR")]
    items = load(tmp_path / "items.csv", csv_text("id;price;currency", *rows))
    assert {item: product.get("price") for item, product in products(items).items()} == {"a": 1, "b": 2, "c": None}
    assert problems(items) == [
        (3, "items.price", "3 EUR", "another currency than the catalogue's USD; value left empty")
    ]


def test_a_clean_plain_table_stays_as_it_is(tmp_path: Path) -> None:
    items = load(tmp_path / "items.csv", csv_text("id;title;price;value", ("a", "R&D < x", "0.5", "v")))
    assert items.frame.columns == ["row", "item_id", "title", "price", "value"]
    assert products(items)["a"] == {"item_id": "a", "title": "R&D < x", "price": 0.5, "value": "v"}
    assert not any("HTML" in note for note in items.notes)


NAMES = {
    "Published on online store": "Published_on_online_store",
    'SEO "title"': "SEO_title",
    "é.b": "é_b",
    "Cost, total": "Cost_total",
    "Cost total": "Cost_total_2",
    "Größe": "Größe",
    "select": "source_select",
    "group": "group",
    "1st": "source_1st",
    "null": "source_null",
    "rating_count": "rating_count",
    "???": "source_",
}


@pytest.mark.parametrize("header", ["Handle;Title;Variant Price", "id;title;price"])
def test_columns_of_any_name_are_kept_under_plain_words(tmp_path: Path, header: str) -> None:
    text = csv_text(";".join([header, *NAMES]), ("hat", "Hat", 1, *range(len(NAMES))))
    found = products(load(tmp_path / "p.csv", text))["hat"]
    kept: dict[str, object] = {new: str(place) for place, new in enumerate(NAMES.values())}
    kept |= {"rating_count": 10.0}
    assert {name: found.get(name) for name in kept} == kept


def test_two_thousand_categories_and_one_seen_once(tmp_path: Path) -> None:
    rows = [(f"h{n}", f"Thing {n}", f"Top > Sort {n % 2000}", 1) for n in range(3999)]
    items = load(tmp_path / "p.csv", csv_text("Handle;Title;Type;Variant Price", *rows))
    categories = [product["category"] for product in products(items).values()]
    assert len(set(categories)) == 2000
    assert categories.count("Top > Sort 1999") == 1
    assert not problems(items)


def test_lists_reach_the_catalogue(tmp_path: Path) -> None:
    header = "Handle;Title;Option1 Name;Option1 Value;Variant Price;Image Src"
    rows = [("hat", "Hat", "Farbe", "Red|Blue", 1, "https://x/a|b.jpg"), ("hat", "", "", "Green", 1, "c.jpg")]
    items = load(tmp_path / "p.csv", csv_text(header, *rows))
    catalog = Catalog.from_table(validate_items(BACKEND, items.frame).items.toArrow(), ["hat", "new"])
    assert catalog.lists("colour") == ((), ("Red/Blue", "Green"), ())
    assert catalog.lists("image")[1] == ("https://x/a%7Cb.jpg", "c.jpg")
    assert catalog.lists("material") == ((), (), ())


def test_other_names_of_columns_can_be_mapped(tmp_path: Path) -> None:
    text = csv_text("Handle;Title;Variant Price;Marke", ("hat", "Hat", 1, "Acme"))
    assert products(load(tmp_path / "p.csv", text, columns={"brand": "Marke"}))["hat"]["brand"] == "Acme"
    with pytest.raises(InputError, match="has no column Brand; it has Handle, Title, Variant Price, Marke"):
        load(tmp_path / "p.csv", text, columns={"brand": "Brand"})
    with pytest.raises(InputError, match="there is no column taste in a catalogue"):
        load(tmp_path / "p.csv", text, columns={"taste": "Marke"})


def test_records_that_cannot_be_split_are_reported(tmp_path: Path) -> None:
    items = load(tmp_path / "p.csv", "Handle,Title,Variant Price\nhat,Hat,1\nbroken\ntea,Tea,2\n")
    assert list(products(items)) == ["hat", "tea"]
    assert [(row, problem) for row, *_, problem in problems(items)] == [(2, "too few fields; row left out")]
    with pytest.raises(InputError, match="has no products"):
        load(tmp_path / "p.csv", "Handle,Title,Variant Price\n")


@pytest.mark.parametrize(
    ("path", "form", "n", "names"),
    [
        ("magento_luma", "magento", 147 + 14 + 9 + 9 + 9, 1_847),
        ("magento_luma/products_configurable.csv", "magento", 147, 1_847),
        ("hm_sample/items_in_transactions.csv", "hm", 17_033, 0),
        ("hm_sample", "hm", 17_033 + 16_432 - 5_499, 0),
        ("amazon_s3rec/Beauty_item2attributes.json.gz", "attributes", 12_101, 0),
        ("amazon_s3rec/Toys_and_Games_item2attributes.json.gz", "attributes", 11_924, 0),
    ],
)
def test_real_catalogues(path: str, form: str, n: int, names: int) -> None:
    items = read_items(BACKEND, folder(path))
    assert (items.format, items.frame.count(), len(aliases(items))) == (form, n, names)
    assert not problems(items)


def test_sisters_whose_parent_is_not_in_the_file_share_its_code(tmp_path: Path) -> None:
    empty = ("", "", 1, "", 9, "", "", "")
    rows = [(n, "variation", f"S{n}", f"Shirt {n}", *empty, parent, "", "", "", "")
            for n, parent in ((1, "id:99"), (2, "id:99"), (3, "GONE"))]  # fmt: skip
    found = products(load(tmp_path / "wc.csv", csv_text(WOO, *rows)))
    assert {item: row["product_code"] for item, row in found.items()} == {"1": "99", "2": "99", "3": "GONE"}


@pytest.mark.parametrize(
    "name",
    ["parent_sku", "item_group_id", "style code", "styleId", "Parent ID", "variant_group_id", "model code"],
)
def test_what_variants_share_goes_by_many_names(tmp_path: Path, name: str) -> None:
    items = load(tmp_path / "items.csv", csv_text(f"item_id;title;{name}", ("1", "Hat", "G"), ("2", "Hat", "G")))
    assert {item: row["product_code"] for item, row in products(items).items()} == {"1": "G", "2": "G"}


def test_of_several_names_for_what_variants_share_the_plainest_counts(tmp_path: Path) -> None:
    header = "item_id;title;style_code;parent_sku"
    items = load(tmp_path / "items.csv", csv_text(header, ("1", "Hat", "S", "P")))
    assert products(items)["1"]["product_code"] == "P"


def test_magento_reviews_are_ratings_and_other_tables_are_named(tmp_path: Path) -> None:
    sample = "category;name;sku;price;color;visibility;attribute_set"
    rows = [("Gear", "Bag", "B1", 30, "", "", "Bag"), ("Gear", "Ball", "W-gray", 20, "Gray", 1, "Ball"),
            ("Gear", "Ball", "W-pink", 20, "Pink", 1, "Ball")]  # fmt: skip
    (tmp_path / "products.csv").write_text(csv_text(sample, *rows), encoding="utf-8")
    ratings = (("B1", 4), ("B1", 1), ("W-gray", ""), ("gone", 5))
    reviews = csv_text("sku;rating_code;rating_value;review", *((sku, "Rating", n, "words") for sku, n in ratings))
    (tmp_path / "reviews.csv").write_text(reviews, encoding="utf-8")
    (tmp_path / "stores.csv").write_text("store,city\n1,Bern\n", encoding="utf-8")
    items = read_items(BACKEND, tmp_path)
    found = products(items)
    assert (found["B1"]["rating"], found["B1"]["rating_count"]) == (2.5, 2.0)
    assert "rating" not in found["W-gray"]
    assert "read 3 ratings from reviews.csv, 1 have none" in items.notes
    assert "no part of the catalogue, not read: stores.csv" in items.notes
    assert [found[sku].get("product_code") for sku in ("B1", "W-gray", "W-pink")] == [None, "Ball", "Ball"]


def test_an_article_without_a_name_is_called_by_what_it_is(tmp_path: Path) -> None:
    header = "article_id;product_code;prod_name;product_type_name;product_group_name;colour_group_name;detail_desc"
    rows = [("1", "01", "", "Trousers", "Lower", "Light Beige", ""), ("2", "01", "", "Vest", "Upper", "", ""),
            ("3", "02", "Jade", "Dress", "Body", "Red", ""), ("4", "03", "", "", "", "", "")]  # fmt: skip
    found = products(load(tmp_path / "articles.csv", csv_text(header, *rows)))
    assert [found[item].get("title") for item in "1234"] == ["Trousers, light beige", "Vest", "Jade", None]
