"""The demonstration while its shop is open: what it opens on, and how it gets better."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from endcap import demo, demo_training
from endcap.config import Config
from endcap.data.errors import InputError
from endcap.data.places import write
from endcap.demo_training import News, Opened
from endcap.engine.engine import Engine
from endcap.serve.app import create_app
from endcap.serve.config import ServeConfig
from endcap.serve.storefront.config import StorefrontConfig
from endcap.store.store import Store
from tests.test_demo import write_shop


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> list[Config]:
    """Two models that count, of which `transitions` is the better one in this shop."""
    shop = write_shop(tmp_path_factory.mktemp("demo") / "mine")
    return [config for config in demo.shop(shop) if config.model.name in ("popular", "transitions")]


@pytest.fixture(scope="module")
def opened(configs: list[Config], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With `popular` alone; `transitions` is still to be trained."""
    folder = tmp_path_factory.mktemp("out")
    made = demo_training.opening(configs[:1], folder)
    later = json.loads(json.dumps([asdict(config) for config in configs]))
    write(folder / demo_training.OPENED, json.dumps(asdict(replace(made, configs=later))))
    return folder


@pytest.fixture
def out(opened: Path, tmp_path: Path) -> Path:
    """A copy of its own."""
    return shutil.copytree(opened, tmp_path / "out")


@pytest.fixture(scope="module")
def trained(opened: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[News]]:
    """The same to its end, and what was heard of it."""
    folder, heard = shutil.copytree(opened, tmp_path_factory.mktemp("trained") / "out"), list[News]()
    demo_training.train(folder, heard.append)
    return folder, heard


@contextmanager
def kept(out: Path) -> Iterator[Store]:
    store = Store.open(demo_training.database(out))
    yield store
    store.close()


def test_a_shop_opens_on_what_counts_and_a_better_model_goes_live(
    opened: Path, trained: tuple[Path, list[News]]
) -> None:
    assert demo_training.standing(opened).model == "popular"
    assert not demo_training.trained(opened)
    out, heard = trained
    assert demo_training.trained(out)
    after = demo_training.standing(out)
    assert (after.model, after.before, after.training) == ("transitions", "popular", ())
    assert after.valid > (after.before_valid or 1)
    assert [news.text for news in heard if news.kind == "live"] == [demo_training.told(after)]
    assert "transitions" in (out / "report.html").read_text(encoding="utf-8")
    engine = Engine.open(out / demo_training.SHOP, demo_training.database(out))
    assert engine.live.artifact.config.model.name == "transitions"
    engine.roll_back(by="test")
    assert engine.live.artifact.config.model.name == "popular"
    engine.promote(out / demo_training.standing(out).path, by="test")
    engine.close()


def test_news_are_said_in_a_line() -> None:
    standing = demo_training.Standing("hybrid", "ndcg@10", 0.18712, "shop", "transitions", 0.1186)
    assert demo_training.told(standing) == "now: hybrid, NDCG@10 .1871, was .1186 (transitions)"
    first = replace(standing, before=None, before_valid=None, valid=1.0)
    assert demo_training.told(first) == "now: hybrid, NDCG@10 1.0000"


def test_what_was_trained_is_not_trained_again(trained: tuple[Path, list[News]]) -> None:
    out, _ = trained
    with kept(out) as store:
        revision = store.revisions().models
    made = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/result.json")}
    heard: list[News] = []
    demo_training.train(out, heard.append)
    assert {path: path.stat().st_mtime_ns for path in out.glob("runs/*/result.json")} == made
    assert not [news for news in heard if news.kind == "live"]
    with kept(out) as store:
        assert store.revisions().models == revision


def test_a_model_that_somebody_chose_stays(out: Path) -> None:
    by_hand = str((out / "models" / "popular").resolve())
    with kept(out) as store:
        store.set_model(demo_training.SHOP, "live", by_hand, by="somebody", now=time.time())
    demo_training.train(out)
    with kept(out) as store:
        assert store.models(demo_training.SHOP)["live"]["path"] == by_hand
    assert demo_training.standing(out).model == "popular"


def test_a_second_opening_reads_nothing(out: Path, configs: list[Config], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError("the log was read again")

    monkeypatch.setattr("endcap.demo_training.prepare_locally", fail)
    assert isinstance(demo_training.opening(configs[:1], out), Opened)
    with pytest.raises(AssertionError, match="read again"):
        demo_training.opening(configs, out)  # of other models


def test_a_training_that_fails_leaves_the_shop_open(out: Path) -> None:
    (out / "data" / "dataset.json").unlink()
    heard: list[News] = []
    with demo_training.beside(out, heard.append):
        deadline = time.monotonic() + 60
        while not heard and time.monotonic() < deadline:
            time.sleep(0.1)
    assert [news.kind for news in heard] == ["failed"]
    assert "exit code 1" in heard[0].text
    assert "the shop stays as it is" in heard[0].text
    assert "dataset.json" in (out / "training.log").read_text(encoding="utf-8")


def test_leaving_the_shop_ends_the_training(out: Path) -> None:
    heard: list[News] = []
    with demo_training.beside(out, heard.append):
        pass
    assert not [news for news in heard if news.kind == "failed"]


def test_two_demonstrations_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        demo_training.alone(tmp_path),
        pytest.raises(InputError, match="another demonstration runs"),
        demo_training.alone(tmp_path),
    ):
        pass
    with pytest.raises(InputError, match="cannot write"), demo_training.alone(Path("/proc/nowhere")):
        pass


@contextmanager
def pages_of(out: Path) -> Iterator[TestClient]:
    shop = StorefrontConfig(demo=True, growing=out)
    config = ServeConfig(out=out / demo_training.SHOP, db=demo_training.database(out), storefront=True, shop=shop)
    app = create_app(Engine.open(config.out, config.db), config)
    with TestClient(app, base_url="http://localhost:8000", headers={"Accept": "text/html"}) as client:
        yield client


def test_the_pages_say_who_answers_and_what_is_to_come(out: Path, trained: tuple[Path, list[News]]) -> None:
    with pages_of(out) as client:
        before = client.get("/").text
        assert "filled by popular" in before
        assert "Still being trained" not in before  # only what counts was asked for
        waiting = replace(demo_training.standing(out), training=("gru", "hybrid"))
        write(out / demo_training.STANDING, json.dumps(asdict(waiting)))
        assert "Still being trained beside this shop: gru, hybrid;" in client.get("/").text
        shutil.copyfile(trained[0] / demo_training.STANDING, out / demo_training.STANDING)
        after = client.get("/").text
        assert "filled by transitions" in after
        assert "Before it was popular" in after
        assert "Still being trained" not in after
        assert "transitions" in client.get("/?lang=zh").text
        write(out / demo_training.STANDING, "{")
        assert client.get("/").status_code == 200
