import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from endcap.data.errors import InputError
from endcap.features import backbone
from endcap.features.confusion import confusion
from endcap.features.fit_images import PhotoEpoch, PhotoTrainConfig
from endcap.features.labels import Labels, LabelsConfig, labels
from endcap.features.photos import PhotoEncoder, PhotosConfig, parts
from tests.features.shapes import Photos, photo, world

CONFIG = PhotosConfig(
    size=32, width=16, dim=16, dropout=0, train=PhotoTrainConfig(epochs=4, batch=32, learning_rate=5e-3, others=1)
)


def learned(n: int = 400, seed: int = 0) -> tuple[Labels, Photos]:
    catalog, photos = world(n, seed)
    return labels(catalog, np.array([0] + [1] * n), LabelsConfig(photos=1)), photos


@pytest.fixture(scope="module")
def encoder() -> PhotoEncoder:
    given, photos = learned()
    return PhotoEncoder.fit(photos, given, CONFIG)


def accuracies(encoder: PhotoEncoder, given: Labels, photos: Photos) -> list[float]:
    named = [[column.index(value) for value in own] for column, own in zip(encoder.classes, given.classes, strict=True)]
    codes = [np.array(own)[given.codes[photos.owners, column]] for column, own in enumerate(named)]
    return [confusion(found, each).accuracy for found, each in zip(encoder.logits(photos), codes, strict=True)]


def test_it_learns_shape_and_colour_and_tells_them_on_new_photos(encoder: PhotoEncoder) -> None:
    assert encoder.names == ("category", "colour")
    shape, colour = accuracies(encoder, *learned(seed=1))
    assert shape > 0.9
    assert colour > 0.95


def test_photos_of_one_kind_lie_close_together(encoder: PhotoEncoder, tmp_path: Path) -> None:
    given, photos = learned(seed=1)
    photos.pixels.flags.writeable = False  # as the memory-mapped ones of an album
    block = encoder.vectors(photos, 400, cache=tmp_path)
    near = block.vectors[1:] @ block.vectors[1:].T - 2 * np.eye(400)
    same = given.codes[1:, 1] == given.codes[1 + near.argmax(1), 1]
    assert same.mean() > 0.95


def test_an_items_vector_is_the_mean_of_its_photos_at_length_1(encoder: PhotoEncoder, tmp_path: Path) -> None:
    pixels = np.stack([photo("disc", "red", left=2, top=2), photo("stripes", "blue", left=9, top=9)])
    alone = encoder.vectors(Photos(np.array([1, 2]), ("a", "b"), pixels), 3, cache=tmp_path)
    both = encoder.vectors(Photos(np.array([2, 2]), ("a", "b"), pixels), 3, cache=tmp_path)
    assert (alone.present.tolist(), both.present.tolist()) == ([False, True, True, False], [False, False, True, False])
    mean = alone.vectors[1] + alone.vectors[2]
    np.testing.assert_allclose(both.vectors[2], mean / np.linalg.norm(mean), rtol=1e-4)
    assert not both.vectors[[0, 1, 3]].any()
    assert (alone.dim, len(alone.names)) == (16, 16)


def test_what_was_looked_at_once_comes_from_the_cache(encoder: PhotoEncoder, tmp_path: Path) -> None:
    _, photos = learned(10)
    first = encoder.each(photos, cache=tmp_path)
    black = replace(photos, pixels=np.zeros_like(photos.pixels))  # the keys say that they are the same
    np.testing.assert_array_equal(encoder.each(black, cache=tmp_path), first)
    (shard,) = (tmp_path / "photo-vectors" / encoder.fingerprint).iterdir()
    shard.write_bytes(shard.read_bytes()[:-5])  # a damaged one is made again
    assert not np.allclose(encoder.each(black, cache=tmp_path), first)


def test_new_photos_join_those_in_the_cache(encoder: PhotoEncoder, tmp_path: Path) -> None:
    _, photos = learned(6)
    some = Photos(photos.owners[:4], photos.keys[:4], photos.pixels[:4])
    encoder.each(some, cache=tmp_path)
    in_two = encoder.each(photos, cache=tmp_path)
    np.testing.assert_allclose(in_two, encoder.each(photos, cache=tmp_path / "other"), atol=0.05)


def test_a_cache_that_cannot_be_written_is_one_line(encoder: PhotoEncoder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="ENDCAP_CACHE"):
        encoder.each(learned(20)[1], cache=tmp_path / "file")


def test_without_photos_there_are_no_vectors(encoder: PhotoEncoder, tmp_path: Path) -> None:
    none = Photos(np.zeros(0, np.int64), (), np.zeros((0, 32, 32, 3), np.uint8))
    block = encoder.vectors(none, 5, cache=tmp_path)
    assert block.vectors.shape == (6, 16)
    assert not block.present.any()


def test_saved_and_loaded_it_gives_the_same(encoder: PhotoEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path)
    loaded = PhotoEncoder.load(tmp_path)
    assert (loaded.config, loaded.names, loaded.classes) == (encoder.config, encoder.names, encoder.classes)
    assert loaded.fingerprint == encoder.fingerprint
    _, photos = learned(5)
    for one, other in zip(encoder.logits(photos), loaded.logits(photos), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_damaged_is_one_line(encoder: PhotoEncoder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no photo encoder of ours"):
        PhotoEncoder.load(tmp_path)
    encoder.save(tmp_path)
    (tmp_path / "photos.safetensors").write_bytes(b"broken")
    with pytest.raises(InputError, match="is damaged or of another network"):
        PhotoEncoder.load(tmp_path)
    text = (tmp_path / "photos.json").read_text()
    for wrong, message in ((text.replace('"version": 1', '"version": 9'), "version 9"), (text[:-9], "is no photo")):
        (tmp_path / "photos.json").write_text(wrong)
        with pytest.raises(InputError, match=message):
            PhotoEncoder.load(tmp_path)


def test_another_network_has_another_fingerprint(encoder: PhotoEncoder) -> None:
    given, photos = learned(60)
    short = replace(CONFIG, train=replace(CONFIG.train, epochs=1))
    one, same = (PhotoEncoder.fit(photos, given, short) for _ in range(2))
    other = PhotoEncoder.fit(photos, given, replace(short, train=replace(short.train, seed=1)))
    assert one.fingerprint == same.fingerprint
    assert len({one.fingerprint, other.fingerprint, encoder.fingerprint}) == 3


def test_only_known_items_are_learned_from() -> None:
    given, photos = learned(60)
    none_left = np.array([], dtype=np.int64)
    with pytest.raises(InputError, match="found 0 photos of category, colour"):
        PhotoEncoder.fit(photos, given, CONFIG, known=none_left)
    short = replace(CONFIG, train=replace(CONFIG.train, epochs=1), valid=0.0)
    known = np.arange(1, 41)
    changed = replace(photos, pixels=np.concatenate([photos.pixels[:40], photos.pixels[:20]]))
    one, other = (PhotoEncoder.fit(each, given, short, known=known).fingerprint for each in (photos, changed))
    assert one == other


def test_no_product_trains_and_chooses() -> None:
    given, photos = learned(100)
    twice = Photos(np.repeat(photos.owners, 2), photos.keys * 2, np.repeat(photos.pixels, 2, axis=0))
    train, valid = parts(twice, given, CONFIG, known=np.arange(1, 51))
    assert sorted([*train, *valid]) == list(range(100))
    assert len(valid) == 10
    assert not {*twice.owners[train]} & {*twice.owners[valid]}


def test_each_epoch_is_told() -> None:
    given, photos = learned(80)
    told: list[PhotoEpoch] = []
    PhotoEncoder.fit(photos, given, replace(CONFIG, train=replace(CONFIG.train, epochs=2)), on_epoch=told.append)
    assert [epoch.epoch for epoch in told] == [1, 2]
    assert all(len(epoch.accuracy) == 2 and epoch.photos_per_second > 0 and epoch.loss > 0 for epoch in told)


def test_the_small_network_learns_shapes_in_grey() -> None:
    given, photos = learned()
    config = replace(CONFIG, network="small", train=replace(CONFIG.train, epochs=8))
    assert accuracies(PhotoEncoder.fit(photos, given, config), *learned(seed=1))[0] > 0.85


@pytest.mark.skipif(not backbone.is_installed(), reason="efficientnet-lite0 is not installed: endcap[encoders]")
def test_the_pretrained_network_is_solved_or_tuned(tmp_path: Path) -> None:
    given, photos = learned(80)
    frozen = replace(CONFIG, network="frozen", size=64)
    encoder = PhotoEncoder.fit(photos, given, frozen)
    shape, colour = accuracies(encoder, *learned(100, seed=1))
    assert shape > 0.8
    assert colour > 0.8
    encoder.save(tmp_path)
    assert PhotoEncoder.load(tmp_path).fingerprint == encoder.fingerprint
    tuned = PhotoEncoder.fit(
        photos, given, replace(frozen, network="fine-tuned", train=replace(CONFIG.train, epochs=1))
    )
    changed = {
        name
        for name, each in tuned.network.trunk.state_dict().items()
        if not torch.equal(each, encoder.network.trunk.state_dict()[name])
    }
    assert any("_blocks.9." in name for name in changed)
    assert not any("_blocks.3." in name for name in changed)  # neither weights nor statistics


def test_a_pretrained_network_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    assert not backbone.is_installed()
    with pytest.raises(InputError, match=r"pip install 'endcap\[encoders\]'"):
        PhotoEncoder.fit(learned(60)[1], learned(60)[0], replace(CONFIG, network="frozen"))
