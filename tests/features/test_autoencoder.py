import json
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from sklearn.decomposition import PCA

from endcap.data.errors import InputError
from endcap.features.autoencoder import Autoencoder
from endcap.features.base import Block
from endcap.features.denoiser import AutoencoderConfig, AutoencoderEpoch
from tests.features.shops import Shop, shop

SMALL = AutoencoderConfig(
    scale="number", encoder=(64,), code=8, decoder=(64,), epochs=40, batch=64, learning_rate=3e-3, agreement=0.1
)
KNOWN, NEW = np.arange(1, 451), np.arange(451, 601)


@pytest.fixture(scope="module")
def world() -> Shop:
    return shop()


@pytest.fixture(scope="module")
def fitted(world: Shop) -> Autoencoder:
    return Autoencoder(SMALL).fit(world.blocks, KNOWN)


def absent(block: Block) -> Block:
    return replace(block, vectors=np.zeros_like(block.vectors), present=np.zeros_like(block.present))


def test_it_loses_less_than_pca_of_the_same_width_on_items_it_has_not_seen(world: Shop) -> None:
    """Both get the same standardised numbers, with each modality alike."""
    scaled = []
    for block in world.blocks.values():
        centred = block.vectors - block.vectors[KNOWN].mean(0)
        scaled.append(centred / centred[KNOWN].std(0) / block.dim**0.5)
    rows = np.hstack(scaled)
    pca = PCA(SMALL.code, random_state=0).fit(rows[KNOWN])
    lost = np.square(rows[NEW] - pca.inverse_transform(pca.transform(rows[NEW]))).sum(1).mean() / len(scaled)
    ours = Autoencoder(SMALL).fit(world.blocks, KNOWN).item_errors(world.blocks)
    assert np.mean([errors[NEW].mean() for errors in ours.values()]) < 0.9 * lost


def test_before_the_first_epoch_it_is_pca(world: Shop) -> None:
    text = {"text": world.blocks["text"]}
    config = replace(SMALL, scale="modality", epochs=1, learning_rate=1e-12, valid=0.0, weight_decay=0.0)
    found = Autoencoder(config).fit(text, KNOWN).reconstruct(text)["text"][NEW]
    pca = PCA(SMALL.code).fit(text["text"].vectors[KNOWN])
    expected = pca.inverse_transform(pca.transform(text["text"].vectors[NEW]))
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("alone", ["tabular", "text", "photo"])
def test_an_item_with_one_modality_alone_lies_near_its_full_code(
    world: Shop, fitted: Autoencoder, alone: str
) -> None:  # fmt: skip
    full = fitted.code(world.blocks).vectors[NEW]
    part = fitted.code({alone: world.blocks[alone]}).vectors[NEW]
    cosines = part @ full.T
    assert np.diag(cosines).mean() > 0.8
    assert np.diag(cosines).mean() > cosines.mean() + 0.5


def test_a_modality_left_out_is_the_same_as_one_absent_from_every_item(world: Shop, fitted: Autoencoder) -> None:
    left_out = fitted.code({"text": world.blocks["text"]})
    gone = fitted.code({name: block if name == "text" else absent(block) for name, block in world.blocks.items()})
    np.testing.assert_array_equal(left_out.vectors, gone.vectors)


def test_codes_have_length_1_and_items_without_anything_have_none(world: Shop, fitted: Autoencoder) -> None:
    blocks = {}
    for name, block in world.blocks.items():
        present = block.present.copy()
        present[7] = False
        blocks[name] = replace(block, present=present)
    code = fitted.code(blocks)
    assert code.vectors.shape == (601, SMALL.code)
    assert code.vectors.dtype == np.float32
    assert len(code.names) == SMALL.code
    assert np.flatnonzero(~code.present).tolist() == [0, 7]
    np.testing.assert_allclose(np.linalg.norm(code.vectors, axis=1), code.present, atol=1e-5)


def test_what_an_item_lacks_is_filled_in_from_what_it_has(world: Shop, fitted: Autoencoder) -> None:
    filled = fitted.reconstruct({"text": world.blocks["text"]})["tabular"][NEW]
    assert (filled[:, :8].argmax(1) + 1 == world.kinds[NEW]).mean() > 0.9
    np.testing.assert_allclose(np.exp(filled[:, 8]), 10 * world.kinds[NEW], rtol=0.6)


def test_what_is_not_there_says_nothing(world: Shop) -> None:
    """Neither in the fit nor later: the vectors of absent items may hold anything."""
    present = world.blocks["photo"].present.copy()
    present[::3] = False
    wild = np.where(present[:, None], world.blocks["photo"].vectors, 1e6).astype(np.float32)
    config = replace(SMALL, epochs=2)
    found = []
    for vectors in (np.where(present[:, None], wild, 0), wild):
        blocks = {
            "text": world.blocks["text"],
            "photo": replace(world.blocks["photo"], vectors=vectors, present=present),
        }
        found.append(Autoencoder(config).fit(blocks, KNOWN).code(blocks).vectors)
    np.testing.assert_array_equal(*found)


def test_it_learns_from_the_known_items_alone(world: Shop) -> None:
    config = replace(SMALL, epochs=2)
    other = {name: replace(block, vectors=block.vectors.copy()) for name, block in world.blocks.items()}
    for block in other.values():
        block.vectors[NEW] = 1e3
    first, second = (Autoencoder(config).fit(blocks, KNOWN).code(world.blocks) for blocks in (world.blocks, other))
    np.testing.assert_array_equal(first.vectors, second.vectors)


def test_the_same_seed_gives_the_same_codes_and_leaves_the_global_one_alone(world: Shop) -> None:
    config = replace(SMALL, epochs=2)
    torch.manual_seed(5)
    first = Autoencoder(config).fit(world.blocks, KNOWN).code(world.blocks)
    drawn = torch.rand(1)
    second = Autoencoder(config).fit(world.blocks, KNOWN).code(world.blocks)
    other = Autoencoder(replace(config, seed=1)).fit(world.blocks, KNOWN).code(world.blocks)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))
    np.testing.assert_array_equal(first.vectors, second.vectors)
    assert not np.array_equal(first.vectors, other.vectors)


def test_it_takes_no_more_steps_than_it_may(world: Shop) -> None:
    epochs: list[AutoencoderEpoch] = []
    config = replace(SMALL, epochs=50, batch=10, steps=7, patience=0, valid=0.0)
    Autoencoder(config).fit(world.blocks, KNOWN, epochs.append)
    assert len(KNOWN) > 70
    assert [epoch.epoch for epoch in epochs] == [1]
    epochs.clear()
    Autoencoder(replace(config, steps=len(KNOWN) // 10 + 7)).fit(world.blocks, KNOWN, epochs.append)
    assert [epoch.epoch for epoch in epochs] == [1, 2]


def test_it_stops_when_held_out_items_gain_no_more(world: Shop) -> None:
    epochs: list[AutoencoderEpoch] = []
    config = replace(SMALL, linear=False, epochs=500, patience=2, learning_rate=0.02)
    Autoencoder(config).fit(world.blocks, KNOWN, epochs.append)
    best = min(epochs, key=lambda epoch: epoch.error)
    assert len(epochs) == best.epoch + 2 < 500


def test_the_number_that_is_noise_is_given_back_worst(world: Shop, fitted: Autoencoder) -> None:
    errors = fitted.feature_errors(world.blocks, NEW)
    assert errors == sorted(errors, key=lambda each: -each.error)
    assert len(errors) == 8 + 2 + 24 + 16
    by_name = {each.name: each.error for each in errors}
    assert by_name["new"] > 3 * by_name["category = Kind 3"]
    assert by_name["category = Kind 3"] < 0.2


def test_an_item_of_two_kinds_at_once_is_given_back_badly(world: Shop, fitted: Autoencoder) -> None:
    kind_1, kind_8 = (np.flatnonzero(world.kinds == kind)[-1] for kind in (1, 8))
    text = world.blocks["text"].vectors.copy()
    text[kind_1] = text[kind_8]
    blocks = world.blocks | {"text": replace(world.blocks["text"], vectors=text)}
    before, after = fitted.item_errors(world.blocks), fitted.item_errors(blocks)
    assert sum(after[name][kind_1] for name in blocks) > 2 * sum(before[name][kind_1] for name in blocks)
    others = np.delete(np.arange(1, 601), kind_1 - 1)
    np.testing.assert_allclose(after["text"][others], before["text"][others], rtol=1e-3, atol=1e-5)


def test_constants_and_empty_modalities_change_nothing() -> None:
    """A number that never varies among the known items, and a modality none of them has."""
    world = shop(80)
    config, known = replace(SMALL, epochs=2), np.arange(1, 81)
    constant = Block(np.full((81, 2), 3, np.float32), np.arange(81) > 0, ("shop", "year"))
    nothing = absent(constant)
    blocks = world.blocks | {"constant": constant, "nothing": nothing}
    model = Autoencoder(config).fit(blocks, known)
    np.testing.assert_allclose(model.reconstruct(blocks)["constant"][1:], 3)
    assert np.isnan(model.item_errors(blocks)["nothing"]).all()
    assert {each.modality for each in model.feature_errors(blocks, known)} == {"tabular", "text", "photo"}


def test_a_block_without_numbers_is_taken() -> None:
    """The text of a shop without any text."""
    world = shop(40)
    wordless = Block(np.zeros((41, 0), np.float32), np.zeros(41, np.bool_), ())
    alone = Autoencoder(replace(SMALL, epochs=2)).fit(
        {"text": wordless, "photo": world.blocks["photo"]}, np.arange(1, 41)
    )
    assert alone.code({"text": wordless, "photo": world.blocks["photo"]}).present[1:].all()
    assert not alone.code({"text": wordless}).present.any()
    assert np.isnan(alone.item_errors({"text": wordless})["photo"]).all()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_a_shop_of_a_few_items_is_fitted_too(n: int) -> None:
    world = shop(n + 1)
    codes = Autoencoder(replace(SMALL, epochs=2)).fit(world.blocks, np.arange(1, n + 2)).code(world.blocks)
    assert np.isfinite(codes.vectors).all()


def test_saved_and_loaded_it_is_the_same(world: Shop, fitted: Autoencoder, tmp_path: Path) -> None:
    fitted.save(tmp_path / "autoencoder")
    loaded = Autoencoder.load(tmp_path / "autoencoder")
    assert loaded.config == fitted.config
    np.testing.assert_array_equal(loaded.code(world.blocks).vectors, fitted.code(world.blocks).vectors)
    assert sorted(path.suffix for path in (tmp_path / "autoencoder").iterdir()) == [".json", ".safetensors"]


def test_what_is_damaged_is_an_error(fitted: Autoencoder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is missing or damaged"):
        Autoencoder.load(tmp_path)
    fitted.save(tmp_path)
    about, weights = tmp_path / "autoencoder.json", tmp_path / "autoencoder.safetensors"
    written = json.loads(about.read_text())
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(InputError, match="is missing, damaged"):
        Autoencoder.load(tmp_path)
    fitted.save(tmp_path)
    about.write_text(json.dumps(written | {"config": written["config"] | {"code": 9}}))
    with pytest.raises(InputError, match="of another model"):
        Autoencoder.load(tmp_path)
    for wrong in (written | {"version": 99}, written | {"config": {"code": 0}}, [], {"version": 1}):
        about.write_text(json.dumps(wrong))
        with pytest.raises(InputError, match=r"autoencoder.json: found version 99|damaged"):
            Autoencoder.load(tmp_path)


def test_blocks_that_do_not_fit_are_errors(world: Shop, fitted: Autoencoder) -> None:
    text = world.blocks["text"]
    with pytest.raises(InputError, match="found smell; expected blocks out of tabular, text, photo"):
        fitted.code({"text": text, "smell": text})
    with pytest.raises(InputError, match="found no block"):
        fitted.code({})
    with pytest.raises(InputError, match="23 numbers where 24 were expected"):
        fitted.code({"text": replace(text, vectors=text.vectors[:, 1:], names=text.names[1:])})
    with pytest.raises(InputError, match="`word` where `text 0` was expected"):
        fitted.code({"text": replace(text, names=("word", *text.names[1:]))})
    short = Block(world.blocks["photo"].vectors[1:], world.blocks["photo"].present[1:], world.blocks["photo"].names)
    with pytest.raises(InputError, match=r"different lengths \(text 601, photo 600\)"):
        fitted.code({"text": text, "photo": short})
    broken = text.vectors.copy()
    broken[5, 2] = np.nan
    with pytest.raises(InputError, match="found nan as `text 2` of item 5 in text"):
        fitted.code({"text": replace(text, vectors=broken)})


def test_nothing_to_learn_from_is_an_error(world: Shop) -> None:
    model = Autoencoder(SMALL)
    for known in (np.array([], np.int64), np.array([0, 1]), np.array([601])):
        with pytest.raises(InputError, match="items to learn from"):
            model.fit(world.blocks, known)
    with pytest.raises(InputError, match="nothing that differs"):
        model.fit({"text": absent(world.blocks["text"])}, KNOWN)


def test_the_smallest_example_is_two_sigmoids_and_half_the_squared_error(world: Shop) -> None:
    """h = s(We x + be) 64 and 64 wide, y = s(Wd h + bd), J = 1/2 |y - x|^2, for one modality and without flags."""
    text = tomllib.loads((files("endcap") / "configs" / "autoencoder-example.toml").read_text(encoding="utf-8"))
    config = TypeAdapter(AutoencoderConfig).validate_python(text["features"]["autoencoder"])
    blocks = {"tabular": world.blocks["tabular"]}
    losses: list[AutoencoderEpoch] = []
    once = replace(config, epochs=1, batch=1000, valid=0.0, learning_rate=1e-12)
    model = Autoencoder(once).fit(blocks, KNOWN, losses.append)
    shapes = {name: tuple(tensor.shape) for name, tensor in model.parameters().items()}
    assert sorted(shapes.values()) == sorted([(64, 10), (64,), (64, 64), (64,), (10, 64), (10,)])
    raw = world.blocks["tabular"].vectors[KNOWN]
    x = (raw - raw.min(0)) / np.ptp(raw, axis=0)
    w1, b1, w2, b2, w3, b3 = (tensor.numpy() for tensor in model.parameters().values())
    y = sigmoid(sigmoid(sigmoid(x @ w1.T + b1) @ w2.T + b2) @ w3.T + b3)
    np.testing.assert_allclose(losses[0].loss, np.square(y - x).sum(1).mean() / 2, rtol=1e-5)
    np.testing.assert_allclose(
        model.reconstruct(blocks)["tabular"][KNOWN], y * np.ptp(raw, axis=0) + raw.min(0), atol=1e-4
    )


def test_the_smallest_example_learns(world: Shop) -> None:
    text = tomllib.loads((files("endcap") / "configs" / "autoencoder-example.toml").read_text(encoding="utf-8"))
    config = TypeAdapter(AutoencoderConfig).validate_python(text["features"]["autoencoder"])
    losses: list[AutoencoderEpoch] = []
    Autoencoder(replace(config, epochs=60, learning_rate=1e-2, batch=64)).fit(world.blocks, KNOWN, losses.append)
    assert losses[-1].loss < 0.5 * losses[0].loss


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
