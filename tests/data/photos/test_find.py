"""Which photo belongs to whom."""

import pytest

from endcap.data.photos.files import File
from endcap.data.photos.find import Found, find
from tests.data.photos.pictures import of_rows, shop


def files(*names: str) -> list[File]:
    return [File(name, name, 1, bytes) for name in names]


def owned(found: Found) -> dict[int, list[str]]:
    result: dict[int, list[str]] = {}
    for match in found.matches:
        result.setdefault(match.item, []).append(match.name)
    return result


OF_4711 = [
    "4711.jpg",
    "4711.JPEG",
    "a/b/4711.png",
    "4711_2.jpg",
    "4711-front.webp",
    "4711 (3).gif",
    "4711.2.avif",
    "4711-front-2.jpg",
    "4711/1.jpg",
    "4711/large/1.jpg",
    "x/4711/anything you like.jpg",
]


@pytest.mark.parametrize("name", OF_4711)
def test_a_photo_is_of_the_item_whose_id_its_name_or_folder_is(name: str) -> None:
    assert owned(find(shop(**{"4711": None}), files(name))) == {1: [name]}


NOT_OF_4711 = [
    "47110.jpg",
    "471.jpg",
    "x4711.jpg",
    "4711x.jpg",
    "4711_a_b.jpg",
    "4711_.jpg",
    "_4711.jpg",
    "14711_2.jpg",
    "47110/1.jpg",
]


@pytest.mark.parametrize("name", NOT_OF_4711)
def test_a_photo_whose_name_only_looks_like_an_id_is_nobodys(name: str) -> None:
    found = find(shop(**{"4711": None}), files(name))
    assert (found.matches, [file.name for file in found.unknown]) == ((), [name])


def test_the_longest_id_wins() -> None:
    catalog = shop(**{"12": None, "12_3": None, "12_3_4": None, "1": None})
    found = find(catalog, files("12.jpg", "12_3.jpg", "12_3_4.jpg", "12_4.jpg", "12_3-4.jpg", "12/1.jpg", "1/12.jpg"))
    assert owned(found) == {1: ["1/12.jpg", "12.jpg", "12/1.jpg", "12_4.jpg"], 2: ["12_3.jpg", "12_3-4.jpg"],
                            3: ["12_3_4.jpg"]}  # fmt: skip


def test_a_folder_wins_over_a_name_of_the_same_length() -> None:
    assert owned(find(shop(a=None, b=None), files("a/b.jpg"))) == {1: ["a/b.jpg"]}


def test_the_catalogues_photos_come_first_in_its_order_then_the_others_by_number() -> None:
    catalog = shop(a="z.jpg|photos/a_2.jpg|y.jpg")
    found = find(catalog, files("a_10.jpg", "a_9.jpg", "photos/a_2.jpg", "y.jpg", "z.jpg", "a.jpg"))
    assert owned(found) == {1: ["z.jpg", "photos/a_2.jpg", "y.jpg", "a.jpg", "a_9.jpg", "a_10.jpg"]}


SAME = [
    ("g/i/x.jpg", "g/i/x.jpg"),
    ("/g/i/x.jpg", "g/i/x.jpg"),
    ("./x.jpg", "x.jpg"),
    ("g\\i\\x.jpg", "g/i/x.jpg"),
    ("x.jpg", "deep/down/x.jpg"),
    ("far/away/x.jpg", "x.jpg"),
    ("i/x.jpg", "media/g/i/x.jpg"),
    ("a%7Cb.jpg", "a|b.jpg"),
]


@pytest.mark.parametrize(("value", "name"), SAME)
def test_a_named_photo_is_found_by_path_ending_or_base_name(value: str, name: str) -> None:
    found = find(shop(a=value), files(name))
    assert (owned(found), found.missing, found.unknown) == ({1: [name]}, (), ())


def test_a_base_name_that_several_files_have_is_nobodys() -> None:
    found = find(shop(a="x.jpg", b="1/x.jpg"), files("1/x.jpg", "2/x.jpg"))
    assert owned(found) == {2: ["1/x.jpg"]}
    assert found.missing == (("a", "x.jpg", "is not among the photos"),)


def test_a_base_name_that_several_values_have_is_nobodys() -> None:
    found = find(shop(a="1/x.jpg", b="2/x.jpg"), files("x.jpg"))
    assert (owned(found), len(found.missing), len(found.unknown)) == ({}, 2, 1)


def test_items_can_share_a_named_photo_which_is_then_nobody_elses() -> None:
    found = find(shop(a="c.jpg", b="c.jpg", c=None), files("c.jpg"))
    assert (owned(found), found.unknown) == ({1: ["c.jpg"], 2: ["c.jpg"]}, ())


def test_other_names_of_items_count_but_not_before_ids() -> None:
    aliases = {"SKU-1": "a", "b": "a", "gone": "no longer sold"}
    found = find(shop(a=None, b=None), files("SKU-1.jpg", "SKU-1_2.jpg", "SKU-1/x.jpg", "b.jpg", "gone.jpg"), aliases)
    assert owned(found) == {1: ["SKU-1.jpg", "SKU-1/x.jpg", "SKU-1_2.jpg"], 2: ["b.jpg"]}
    assert [file.name for file in found.unknown] == ["gone.jpg"]


def test_ids_may_hold_what_names_are_cut_at() -> None:
    catalog = shop(**{"red-shirt": None, "a/b": None, "商品 😀": None, "x.1": None})
    found = find(catalog, files("red-shirt-2.jpg", "a/b.jpg", "商品 😀.jpg", "x.1.jpg", "x.1.2.jpg"))
    assert owned(found) == {1: ["red-shirt-2.jpg"], 2: ["a/b.jpg"], 3: ["商品 😀.jpg"], 4: ["x.1.jpg", "x.1.2.jpg"]}


def test_addresses_are_matches_without_a_file() -> None:
    catalog = shop(
        a="http://shop/1.jpg|x.jpg|//cdn/2.jpg|HTTPS://shop/3", b="ftp://shop/1.jpg", c="data:image/png;base64,AA"
    )
    found = find(catalog, files("x.jpg"))
    assert [(match.name, match.file is None) for match in found.matches] == [
        ("http://shop/1.jpg", True),
        ("x.jpg", False),
        ("https://cdn/2.jpg", True),
        ("HTTPS://shop/3", True),
    ]
    assert {problem.problem for problem in found.missing} == {"is neither a path nor an http or https address"}


def test_paths_without_any_photos_given_say_so() -> None:
    found = find(shop(a="x.jpg", b=None), None)
    assert found.missing == (("a", "x.jpg", "is a path, but no folder or zip with photos was given"),)


def test_clips_are_found_as_photos_are_and_come_last() -> None:
    found = find(shop(a="turn.mp4|x.jpg"), files("a.webm", "a.jpg", "turn.mp4", "x.jpg"))
    assert owned(found) == {1: ["x.jpg", "a.jpg", "turn.mp4", "a.webm"]}


def test_a_name_of_many_digits_is_no_trouble() -> None:
    found = find(of_rows([("a", None)]), files(f"a_{'1' * 10_000}.jpg", "a_0.jpg", "a_00.jpg"))
    assert len(found.matches) == 3
