from importlib import resources
from pathlib import Path

import pytest

from endcap.config import check, dumps, load, model_names
from endcap.data.errors import InputError

MINIMAL = '[data]\nevents = "log.csv"\n[model]\nname = "gru"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted(Path(str(resources.files("endcap") / "configs")).glob("*.toml")), ids=str)
def test_every_shipped_config_loads_and_comes_back(path: Path, tmp_path: Path) -> None:
    config = load(path)
    assert load(written(tmp_path, dumps(config))) == config


@pytest.mark.parametrize("name", model_names())
def test_every_model_has_defaults(name: str) -> None:
    assert check({"data": {"events": "x"}, "model": {"name": name}}, "test").model.name == name


def test_overrides(tmp_path: Path) -> None:
    settings = ["train.epochs=3", "data.goal=purchase", "model.loss.name=full", 'data.columns={item_id = "sku"}']
    config = load(written(tmp_path, MINIMAL), settings)
    assert (config.train.epochs, config.data.goal) == (3, "purchase")
    assert config.data.columns == {"item_id": "sku"}


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        (MINIMAL + "[train]\nepochz = 3\n", [], "unknown key train.epochz"),
        (MINIMAL + "[trian]\n", [], "unknown key trian"),
        (MINIMAL + "dimm = 3\n", [], "unknown key model.gru.dimm"),
        (MINIMAL + "[train]\nepochs = 'many'\n", [], "train.epochs: found 'many'"),
        (
            '[data]\nevents = "x"\n[model]\nname = "oracle"\n',
            [],
            "found model.name = 'oracle'; expected one of popular, ",
        ),
        ("[data]\n[model]\nname = 'gru'\n", [], "missing key data.events"),
        ("[data\n", [], "is no TOML"),
        (MINIMAL, ["epochs=3"], "expected section.key=value"),
        (MINIMAL, ["train.epochs=0"], "train.epochs: found 0"),
        (MINIMAL, ["train.learning_rate=-1"], "train.learning_rate: found -1"),
        (MINIMAL, ["train.metric=luck"], "train.metric: found 'luck'"),
        (MINIMAL, ["model.dropout=1.0"], "model.gru.dropout: found 1.0"),
        (MINIMAL, ["model.name=transformer", "model.heads=3"], "no multiple of heads = 3"),
        (MINIMAL, ["split.valid_quantile=0.95"], "the second must be later"),
        (MINIMAL, ["train.epochs"], "expected section.key=value"),
        (MINIMAL, ["data.events.x=1"], "events is no section"),
    ],
)
def test_a_typo_is_an_error(tmp_path: Path, text: str, settings: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("[", r"\[")):
        load(written(tmp_path, text), settings)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no file"):
        load(tmp_path / "none.toml")
