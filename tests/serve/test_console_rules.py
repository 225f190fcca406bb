"""Rules by clicking: conditions as rows, what they match, shelves before and after, and what is like what is hidden."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from endcap.serve.console.shoppers import unlike
from tests.serve.test_console import app_of, browser_of, filled, send, serve_shop, shelves, shops, token, words

__all__ = ["filled", "serve_shop", "shops"]

RED = {"mode": "rows", "column-0": "colour", "how-0": "is", "value-0": "red"}


@pytest.fixture(scope="module")
def app(shops: Path, filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    made = app_of(shops, filled, tmp_path_factory.mktemp("app"))
    with TestClient(made):
        yield made


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return browser_of(app)


def body_in(text: str) -> dict[str, Any]:
    found = re.search(r'name="body" value="([^"]+)"', text)
    assert found is not None
    body: dict[str, Any] = json.loads(unescape(found[1]))
    return body


def rule(client: TestClient, place: str = "preview", **fields: Any) -> Any:
    return send(client, f"rules/{place}", **{"id": "x", "new": "yes", "body": "", "action": "hide", **fields})


def alert(answer: Any) -> str:
    assert answer.status_code == 422
    found = re.search(r'role="alert"[^>]*>(.*?)</p>', answer.text)
    assert found is not None
    return unescape(found[1])


def test_rows_make_the_filter_of_a_rule(client: TestClient) -> None:
    more = {"column-1": "price", "how-1": "below", "high-1": "12", "column-2": "category", "value-2": "> Things"}
    answer = rule(client, **RED, **more)
    assert body_in(answer.text)["filter"] == 'colour:red AND price < 12 AND category:"> Things"'
    assert "3 of 17 products match" in words(answer.text)
    either = rule(client, **RED | {"value-0": ["red", "white"]})
    assert body_in(either.text)["filter"] == "colour:(red, white)"


def test_without_scripts_the_form_changes_by_its_buttons(client: TestClient) -> None:
    text = rule(client, "edit", do="add", **RED).text
    assert len(re.findall(r'name="column-\d"', text)) == 2
    assert "4 of 17 products match" in words(text)  # the row that is not complete asks for nothing yet
    text = rule(client, "edit", do="text", **RED).text
    assert ">colour:red</textarea>" in text
    text = rule(client, "edit", do="rows", mode="text", filter="colour:red AND price:1..5").text
    assert re.findall(r'name="(?:low|high|value)-\d" [^>]*value="([^"]*)"', text) == ["red", "1", "5"]
    text = rule(client, "edit", do="rows", mode="text", filter="colour:red OR in_stock").text
    assert ">colour:red OR in_stock</textarea>" in text  # rows cannot say that
    text = rule(client, "edit", do="", **RED | {"was-0": "colour", "column-0": "price"}).text
    assert 'name="low-0"' in text
    assert 'name="value-0"' not in text  # another column, other values


def test_scripts_get_the_same_parts(client: TestClient) -> None:
    parts = rule(client, "conditions", do="or-0", **RED).json()
    assert parts["builder"].count('name="value-0"') == 2
    assert "4 of 17 products match" in words(parts["matches"])
    assert re.findall(r"/console/photo\?item=(\w+)", parts["matches"])
    none = rule(client, "conditions", **RED | {"value-0": "purple"}).json()
    assert "None of the 17 products matches" in words(none["matches"])
    rich = rule(client, "conditions", mode="text", filter="price <").json()
    assert "Here a number is missing." in words(rich["matches"])
    assert rule(client, "conditions", **RED, token="0" * 64).status_code == 403


@pytest.mark.parametrize(
    ("written", "said", "marked"),
    [
        ("category", "Here a comparison is missing", "category<mark>\u2003</mark>"),
        ("price < cheap AND in_stock", "Here a number is missing", "price &lt; <mark>cheap</mark> AND in_stock"),
        ("colr:red", "no column “colr”. Is “colour” meant?", "<mark>colr</mark>:red"),
        ("price:cheap", "“price” holds numbers", "<mark>price</mark>:cheap"),
        ("brand:Lumen Works", "needs “quotes”", "brand:Lumen <mark>Works</mark>"),
    ],
)
def test_what_is_wrong_is_said_plainly_with_its_place_and_the_focus(
    client: TestClient, written: str, said: str, marked: str
) -> None:
    answer = rule(client, mode="text", filter=written)
    assert said in alert(answer)
    assert marked in answer.text
    assert re.findall(r"<(?:input|textarea|select)[^>]*autofocus", answer.text) == [
        re.search(r'<textarea id="filter"[^>]*autofocus', answer.text)[0]  # type: ignore[index]
    ]


def test_a_row_without_a_value_has_the_focus(client: TestClient) -> None:
    answer = rule(client, **RED, **{"column-1": "brand", "how-1": "is", "value-1": ""})
    assert "Nothing is chosen in condition 2" in alert(answer)
    (focused,) = re.findall(r'<input id="([\w-]+)"[^>]*autofocus', answer.text)
    assert focused == "row-1"


def test_a_rule_that_matches_nothing_wants_a_tick(client: TestClient) -> None:
    fields = RED | {"value-0": "purple"}
    answer = rule(client, **fields)
    assert "No product of this shop matches" in words(answer.text)
    body = json.dumps(body_in(answer.text))
    assert re.search(r'<input id="nothing"[^>]*type="checkbox" required', answer.text)
    refused = send(client, "rules/publish", id="nothing", new="yes", body=body)
    assert "No product of this shop matches" in alert(refused)
    ids = [each["id"] for each in client.get("/v1/rules").json()["rules"]]
    assert "nothing" not in ids
    assert send(client, "rules/publish", id="nothing", new="yes", body=body, nothing="yes").status_code == 303
    assert send(client, "rules/take-back", id="nothing").status_code == 303


def test_strengths_have_names_and_another_number_stays(client: TestClient) -> None:
    form = client.get("/console/rules/new?action=boost").text
    chosen = re.findall(r'<input id="strength-(\w+)"[^>]*value="([\d.]+)"( checked)?', form)
    assert chosen == [("slight", "0.5", ""), ("clear", "1.5", " checked"), ("strong", "4.0", "")]
    answer = rule(client, action="boost", strength="4.0", **RED)
    assert body_in(answer.text)["strength"] == 4
    assert "Moves up strongly: colour:red" in words(answer.text)
    assert re.search(r"its products come \d+ places? earlier", words(answer.text).replace("one place", "1 place"))
    old = json.dumps({"action": "bury", "filter": "colour:red", "strength": 2.3})
    assert 'value="2.3" checked' in rule(client, "edit", body=old).text
    assert "Moves down by 2.3 deviations" in words(rule(client, body=old).text)


def test_a_preview_shows_unlike_visitors_and_somebody_new(client: TestClient) -> None:
    text = rule(client, action="only", slots="home", **RED).text
    found = shelves(text)
    assert len(found) == 4
    assert list(found)[-1] == "Somebody new"
    for before, after in found.values():
        assert set(after) <= {"i0", "i1", "i2", "i3"}
        assert set(before) != set(after)
    assert "mostly" in words(text)
    asked = shelves(rule(client, action="only", visitor="ann", **RED).text)
    assert next(iter(asked)) == "ann"
    assert len(asked) == 5


def test_unlike_visitors_are_chosen() -> None:
    tastes = [Counter(a=9), Counter(a=5), Counter(a=3, b=3), Counter(c=4), Counter(b=2)]
    assert unlike(tastes, 3) == [0, 3, 4]
    assert unlike(tastes, 9) == [0, 3, 4, 2, 1]
    assert unlike([], 3) == unlike(tastes, 0) == []


def test_a_hide_offers_what_is_like_it(client: TestClient) -> None:
    answer = rule(client, mode="text", filter="item_id:(i0, i1)")
    assert re.search(r"(\d+|One) more like these", words(answer.text))
    offered = re.findall(r'name="also" value="([^"]+)" checked', answer.text)
    assert "i2" in offered  # the same title
    assert not {"i0", "i1"} & {*offered}
    body = json.dumps(body_in(answer.text))
    wider = rule(client, body=body, also=["i2", "i3"])
    assert body_in(wider.text)["filter"] == "(item_id:(i0, i1)) OR item_id:(i2, i3)"
    form = rule(client, "edit", body=json.dumps(body_in(wider.text))).text
    assert "And these 2 products" in form
    less = rule(client, mode="rows", also="i2", **{"column-0": "item_id", "value-0": ["i0", "i1"]})
    assert body_in(less.text)["filter"] == "(item_id:(i0, i1)) OR item_id:i2"
    assert not re.search("more like these", rule(client, action="bury", strength="1.5", **RED).text)


def test_companions_are_found_chosen_and_previewed(client: TestClient) -> None:
    text = rule(client, "edit", action="complement", do="find", beside="i3", **{"find-item_ids": "red"}).text
    assert re.findall(r'type="checkbox" name="item_ids" value="([^"]+)"', text) == ["i0", "i1", "i2", "i3"]
    assert "No product is chosen" in alert(rule(client, action="complement", beside="i3"))
    assert "Beside which products?" in alert(rule(client, action="complement", item_ids="i9"))
    answer = rule(client, action="complement", beside="i3\ni5", item_ids=["i9", "i12", "i9"])
    assert body_in(answer.text) == {"action": "complement", "beside": ["i3", "i5"], "item_ids": ["i9", "i12"]}
    assert all(after[:2] == ["i9", "i12"] for _, after in shelves(answer.text).values())
    assert words(answer.text).count("by a rule") == 2 * len(shelves(answer.text))


def test_products_are_found_in_spite_of_typing(client: TestClient) -> None:
    def found(q: str) -> tuple[list[str], str]:
        answer = client.get("/console/rules/products", params={"q": q}).json()
        return [each["id"] for each in answer["products"]], answer["text"]

    assert found("grene")[0] == found("green")[0] == ["i4", "i5", "i6", "i7"]  # the title of the last says nothing
    assert "this is “green”" in found("grene")[1]
    assert found("green")[1] == ""
    assert found("i12")[0] == ["i12"]
    assert found("zzzzz") == ([], "Nothing found for “zzzzz”.")


def test_the_example_is_of_this_shop(client: TestClient) -> None:
    text = rule(client, "edit", do="text", mode="rows").text
    example = re.search(r'placeholder="(category[^"]+)"', text)
    assert example is not None
    assert unescape(example[1]).startswith('category:"Things"')
    assert "8 of 17 products match" in words(rule(client, mode="text", filter=unescape(example[1])).text)
    assert token(client)
