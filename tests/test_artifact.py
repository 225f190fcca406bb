import json
from pathlib import Path

import numpy as np
import pytest
import torch

from endcap import artifact as artifacts
from endcap.artifact import Artifact
from endcap.config import check, model_names
from endcap.data.catalog import Catalog
from endcap.data.errors import InputError
from endcap.data.places import replacing
from endcap.fitting import fit
from endcap.models import Traits
from endcap.ranking import recommend
from endcap.training import Task, TrainConfig
from tests.models.test_content import content, world
from tests.worlds import circle


def made(name: str = "gru") -> Artifact:
    parts = circle()
    config = check({"data": {"events": "x.csv"}, "model": {"name": name}}, "test")
    fitted = fit(config.model, parts.train, None, TrainConfig(epochs=1), Task())
    vocabulary = parts.train.vocabulary
    catalog = Catalog.from_table(None, vocabulary.ids)
    return Artifact(
        config, Traits.of(parts.train), vocabulary, catalog, fitted.model, {"x.csv": "0"}, {"repeat": False}
    )


@pytest.mark.parametrize("name", model_names())
def test_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    before = made(name)
    artifacts.save(before, tmp_path / "a")
    after = artifacts.load(tmp_path / "a")
    assert (after.config, after.traits, after.vocabulary, after.facts) == (
        before.config, before.traits, before.vocabulary, before.facts,
    )  # fmt: skip
    test = circle().test
    lists = [recommend(each.model, test.histories, 5, goals=test.goals, asked=test.asked) for each in (before, after)]
    np.testing.assert_array_equal(lists[0].items, lists[1].items)
    np.testing.assert_array_equal(lists[0].scores, lists[1].scores)


def test_networks_that_share_what_is_known_of_items_are_saved_each_whole(tmp_path: Path) -> None:
    """A hybrid of two networks that are told of products; the format refuses tensors in one memory."""
    parts = world()
    known = content(parts)
    gru = {"name": "gru", "dim": 8, "hidden": 8}
    config = check({"data": {"events": "x.csv"}, "model": {"name": "hybrid", "parts": [gru, gru]}}, "test")
    model = fit(config.model, parts.train, None, TrainConfig(epochs=1), Task(), content=known).model
    shared = [part.items.content.vectors.data_ptr() for part in model.parts]
    assert shared[0] == shared[1]
    vocabulary = parts.train.vocabulary
    catalog = Catalog.from_table(None, vocabulary.ids)
    traits = Traits.of(parts.train, known)
    artifacts.save(Artifact(config, traits, vocabulary, catalog, model, {"x.csv": "0"}, {}), tmp_path / "a")
    after = artifacts.load(tmp_path / "a").model
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(after.state_dict()[name], tensor)


def test_holds_no_pickle(tmp_path: Path) -> None:
    artifacts.save(made(), tmp_path / "a")
    assert {path.suffix for path in (tmp_path / "a").iterdir()} == {".toml", ".json", ".parquet", ".safetensors"}


def test_another_user_may_serve_it(tmp_path: Path) -> None:
    artifacts.save(made(), tmp_path / "a")
    assert {oct(path.stat().st_mode & 0o777) for path in (tmp_path / "a").iterdir()} == {"0o644"}


def damage_json(folder: Path) -> None:
    (folder / "artifact.json").write_text("{")


def damage_weights(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def swap_weights(folder: Path) -> None:
    from safetensors.torch import save_file

    save_file({"foreign": torch.zeros(3)}, folder / "weights.safetensors")


def pickle_weights(folder: Path) -> None:
    torch.save({"a": torch.zeros(3)}, folder / "weights.safetensors")


def damage_items(folder: Path) -> None:
    (folder / "items.parquet").write_bytes(b"PAR1 and no more")


def another_version(folder: Path) -> None:
    path = folder / "artifact.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))


def remove_config(folder: Path) -> None:
    (folder / "config.toml").unlink()


@pytest.mark.parametrize(
    "harm",
    [damage_json, damage_weights, swap_weights, pickle_weights, damage_items, another_version, remove_config],
)
def test_damage_is_said_in_one_line(tmp_path: Path, harm) -> None:
    artifacts.save(made(), tmp_path / "a")
    harm(tmp_path / "a")
    with pytest.raises(InputError) as error:
        artifacts.load(tmp_path / "a")
    assert "train it again" in str(error.value) or "endcap train" in str(error.value) or "another model" in str(
        error.value
    ) or "train again" in str(error.value)  # fmt: skip
    assert "\n" not in str(error.value)


def fill_the_disk(folder: Path) -> None:
    with replacing(folder) as new:
        (new / "config.toml").write_text("half")
        raise OSError(28, "No space left on device")


def test_takes_the_place_of_an_artifact_but_of_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_text("dear")
    with pytest.raises(InputError, match="found other things"):
        artifacts.save(made("popular"), tmp_path / "photos")
    assert (tmp_path / "photos" / "me.jpg").read_text() == "dear"
    for name in ("popular", "ease"):
        artifacts.save(made(name), tmp_path / "a")
    assert artifacts.load(tmp_path / "a").config.model.name == "ease"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "photos"]


def test_a_failed_save_leaves_the_old_one_whole(tmp_path: Path) -> None:
    artifacts.save(made(), tmp_path / "a")
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    with pytest.raises(InputError, match="No space left on device; nothing was changed"):
        fill_the_disk(tmp_path / "a")
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
