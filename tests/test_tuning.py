"""`endcap tune`: chosen on validation, resumed, refused, pruned, reported; and what it leaves can be trained."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from endcap import tuning
from endcap.config import Config, check, load, model_names
from endcap.data import backend as backends
from endcap.data.dataset import Dataset, prepare
from endcap.data.errors import InputError
from endcap.experiment import run
from endcap.models.hybrid import HybridConfig
from endcap.search_space import OWN_CHOICES, SPACES, applied, own_values, put_back, targets
from endcap.tuning import Budget, Progress, Tuning, tune
from endcap.tuning_crew import Crew, untested
from endcap.tuning_report import card, gist, render, save, summary
from endcap.tuning_worker import Bench, Diverged
from tests.browser import SIZES, Open, axe, browser, cut, faults, open_page

__all__ = ["axe", "browser", "open_page"]

TRAIN = {"epochs": 4, "patience": 0, "batch_tokens": 128, "warmup": 5, "learning_rate": 0.01}
SMALL = {"model.dim": [8, 16], "model.hidden": [8, 16], "model.layers": [], "train.weight_decay": []}


def document(model: str = "gru", **more: Any) -> dict[str, Any]:
    sizes = {"gru": {"dim": 8, "hidden": 8}, "transformer": {"dim": 8, "heads": 1}}.get(model, {})
    return {"data": {"events": "log.csv"}, "model": {"name": model, **sizes, **more}, "train": TRAIN}


def configured(model: str = "gru", **more: Any) -> Config:
    return check(document(model, **more), "test")


def hybrid(*parts: str) -> Config:
    sections = [
        {"dim": 8, "hidden": 8} if part == "gru" else {"dim": 8} if part == "transformer" else {} for part in parts
    ]
    named = [{"name": part, **section} for part, section in zip(parts, sections, strict=True)]
    return check({**document("popular"), "model": {"name": "hybrid", "parts": named}}, "test")


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Users walk a circle of items: what comes next can be learned."""
    path = tmp_path_factory.mktemp("log") / "log.csv"
    rows = ["user_id,item_id,kind,time"]
    for user in range(60):
        for step in range(8):
            rows.append(f"u{user},i{(user + step) % 15},view,{1_600_000_000 + 86_400 * step + 60 * user}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def dataset(log: Path) -> Dataset:
    config = configured()
    data = replace(config.data, events=str(log))
    return prepare(backends.local(), data, config.clean, config.split)


def tuned(config: Config, dataset: Dataset, out: Path, asked: dict[str, Any], budget: Budget, **more: Any) -> Tuning:
    return tune(config, targets(config, asked), dataset, None, out, budget, **more)


# the search space


@pytest.mark.parametrize("name", sorted(SPACES))
def test_every_usual_value_is_one_that_the_model_takes(name: str) -> None:
    (target,) = targets(configured(name), {})
    assert set(target.space) == set(SPACES[name])
    for key, values in target.space.items():
        for value in values:
            applied(target.config, {key: value})


def test_every_model_is_tuned_or_chooses_itself() -> None:
    assert {*SPACES, *OWN_CHOICES, "hybrid"} == set(model_names())


def test_the_config_as_given_is_a_point_of_its_space() -> None:
    config = configured("gru", dim=24, dropout=0.35)
    (target,) = targets(config, {"train.learning_rate": [1e-4, 1e-3]})
    assert target.space["model.dim"] == [32, 64, 128, 256, 24]
    assert target.space["train.learning_rate"] == [1e-4, 0.01]
    assert own_values(target)["model.dropout"] == 0.35
    assert put_back(config, [(target, own_values(target))]) == config


def test_a_table_changes_the_space_and_an_empty_list_leaves_a_key() -> None:
    asked = {"model": {"dim": [4, 8], "start": ["spectral", "random"]}, "model.dropout": [], "train.weight_decay": []}
    (target,) = targets(configured("gru"), asked)
    assert target.space == {
        "train.learning_rate": [3e-4, 0.01],
        "model.dim": [4, 8],
        "model.hidden": [64, 128, 256, 8],
        "model.layers": [1, 2],
        "model.start": ["spectral", "random"],
    }


def test_the_table_of_the_docs() -> None:
    page = (Path(__file__).parents[1] / "docs" / "tuning.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    written = tomllib.loads(block)
    (target,) = targets(check(written, "tuning.md"), written["tune"])
    assert target.space["train.learning_rate"] == [1e-4, 1e-2]
    assert target.space["model.dim"] == [32, 64, 128]
    assert target.space["model.loss.name"] == ["full", "sampled", "auto"]
    assert "model.dropout" not in target.space


def test_usual_choices_that_do_not_go_with_the_config_are_left_out() -> None:
    (target,) = targets(configured("transformer", dim=6, heads=3), {})
    assert target.space["model.heads"] == [1, 2, 3]  # 4 does not divide 6


@pytest.mark.parametrize(
    ("model", "asked", "message"),
    [
        ("gru", {"model.dimm": [8, 16]}, "unknown key model.gru.dimm"),
        ("gru", {"model.dim": 8}, "found [tune] model.dim = 8; expected a range"),
        ("gru", {"model.dim": [[8], [16]]}, "expected a range of two numbers"),
        ("gru", {"model.dim": [8, "many"]}, "model.gru.dim: found 'many'"),
        ("gru", {"model.dim": [8.0, 32.0]}, "model.gru.dim: found 13.3"),
        ("gru", {"train.learning_rate": [0.1, 0.01]}, "expected a number above 0 and a larger one"),
        ("gru", {"model.dropout": [0.0, 0.5]}, "to have 0 in it, give three or more choices"),
        ("gru", {"model.dropout": [0.1, 1.5]}, "model.gru.dropout: found 1.5"),
        ("gru", {"train.weight_decay": [0.001, 0.1], "train.clip": [0.5, 9.0]}, ""),
        ("gru", {"split.method": ["temporal", "given"]}, "expected a key of [model] or [train]"),
        ("gru", {"epochs": [1, 2]}, "expected a key of [model] or [train]"),
        ("gru", {"train.seed": [1, 2]}, "must be the same for all"),
        ("gru", {"train.metric": ["hr@10", "ndcg@10"]}, "must be the same for all"),
        ("gru", {"model.name": ["gru", "lstm"]}, "must be the same for all"),
        ("transitions", {}, "transitions chooses decay, column_power"),
        ("transitions", {"model.decay": [0.1, 0.9]}, "transitions chooses it itself"),
        ("transitions", {"model.window": [5, 10]}, ""),
        ("popular", {}, "popular chooses half_life itself"),
        ("ease", {"model.penalty": []}, ""),
    ],
)
def test_what_a_table_may_say(model: str, asked: dict[str, Any], message: str) -> None:
    if not message:
        assert targets(configured(model), asked)
        return
    with pytest.raises(InputError) as error:
        targets(configured(model), asked)
    assert message in str(error.value)


def test_a_range_without_the_value_of_the_config() -> None:
    with pytest.raises(InputError, match=r"0\.0 in the config, which is in no range"):
        targets(configured("gru", dropout=0.0), {"model.dropout": [0.1, 0.5]})


def test_a_hybrid_is_its_networks() -> None:
    one = targets(hybrid("popular", "gru"), {"gru.dim": [8, 16], "train.learning_rate": [1e-3, 1e-2]})
    assert [(each.name, each.place) for each in one] == [("1-gru", 1)]
    assert one[0].space["model.dim"] == [8, 16]
    assert one[0].config.train.seed == 1_000  # as the part is trained in the hybrid
    both = targets(hybrid("gru", "ease", "transformer"), {})
    assert [each.name for each in both] == ["0-gru", "2-transformer"]
    assert not any(key.startswith("train.") for each in both for key in each.space)
    found = [(both[0], own_values(both[0]) | {"model.dim": 64}), (both[1], own_values(both[1]) | {"model.layers": 3})]
    best = put_back(hybrid("gru", "ease", "transformer"), found).model
    assert isinstance(best, HybridConfig)
    assert [part.name for part in best.parts] == ["gru", "ease", "transformer"]
    assert (best.parts[0].dim, best.parts[2].layers) == (64, 3)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("parts", "asked", "message"),
    [
        (("popular", "ease"), {}, "nothing to tune"),
        (("gru", "transformer"), {"train.learning_rate": [1e-3, 1e-2]}, "share [train]"),
        (("gru", "ease"), {"ease.penalty": [1.0, 10.0]}, "expected a key of gru or train"),
        (("gru", "ease"), {"gru.heads": [1, 2]}, "unknown key model.gru.heads"),
    ],
)
def test_what_a_table_may_say_of_a_hybrid(parts: tuple[str, ...], asked: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        targets(hybrid(*parts), asked)
    assert message in str(error.value)


# one trial


def test_a_trial_is_measured_as_compare_measures_without_the_test_part(dataset: Dataset, tmp_path: Path) -> None:
    config = configured("transformer")
    part = untested(dataset)
    assert "test" in dataset.table["part"].to_pylist()
    assert "test" not in part.table["part"].to_pylist()
    curve: list[float] = []
    measured = Bench.of(config, part, None).measure(config, tmp_path, lambda epoch: curve.append(epoch.metric))
    assert len(curve) == TRAIN["epochs"]
    assert measured.value == run(config, dataset).results[0].valid == max(curve)


def test_the_page_can_be_read_by_everybody(dataset: Dataset, tmp_path: Path, open_page: Open, axe: str) -> None:
    tuning = tuned(configured("gru"), dataset, tmp_path, SMALL, Budget(trials=4))
    (tmp_path / "tune.html").write_text(render(tuning, dataset), encoding="utf-8")
    for width, scheme in (("desk", "light"), ("phone", "dark")):
        shown = open_page(width, scheme)
        shown.goto((tmp_path / "tune.html").as_uri())
        assert shown.locator("svg[role=img]").count()
        assert shown.evaluate("document.documentElement.scrollWidth") <= SIZES[width]["width"]
        assert cut(shown) == []
        assert faults(shown, axe) == []


def test_a_trial_that_diverges_says_so(dataset: Dataset, tmp_path: Path) -> None:
    config = check(
        {**document("gru"), "train": {**TRAIN, "optimizer": "sgd", "learning_rate": 1e30, "clip": 0}}, "test"
    )
    with pytest.raises(Diverged, match="diverged: the loss of epoch 1 is nan"):
        Bench.of(config, dataset, None).measure(config, tmp_path, lambda epoch: None)


# the study


@pytest.fixture(scope="module")
def whole(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tuning]:
    """Four trials in one call."""
    out = tmp_path_factory.mktemp("whole")
    return out, tuned(configured(), dataset, out, SMALL, Budget(trials=4))


def figures(tuning: Tuning) -> list[tuple[dict[str, Any], float]]:
    return [(trial.values, trial.value) for each in tuning.tuned for trial in each.trials]


def test_the_config_as_given_comes_first_and_the_best_is_chosen(whole: tuple[Path, Tuning]) -> None:
    _, tuning = whole
    (study,) = tuning.tuned
    assert [trial.state for trial in study.trials] == ["done"] * 4
    assert [trial.given for trial in study.trials] == [True, False, False, False]
    assert study.trials[0].values == own_values(study.target)
    best = max(study.trials, key=lambda trial: trial.value)
    assert tuning.best == applied(tuning.config, best.values)
    assert all(set(trial.curve) == {1, 2, 3, 4} for trial in study.trials)
    assert study.facts["validation questions"] > 0


def test_the_same_call_does_nothing_more(whole: tuple[Path, Tuning], dataset: Dataset) -> None:
    out, before = whole
    heard: list[Progress] = []
    again = tuned(configured(), dataset, out, SMALL, Budget(trials=4), on_progress=heard.append)
    assert (figures(again), again.best, heard) == (figures(before), before.best, [])


def test_a_study_of_something_else_is_refused(whole: tuple[Path, Tuning], dataset: Dataset) -> None:
    out, _ = whole
    for config, asked, data, what in (
        (configured("gru", dropout=0.3), SMALL, dataset, "another config;"),
        (configured(), SMALL | {"model.dim": [8, 32]}, dataset, "another search space;"),
        (configured("gru", dim=9), SMALL, dataset, "another config and another search space;"),
        (configured(), SMALL, replace(dataset, files={"log.csv": "0"}), "another data;"),
    ):
        with pytest.raises(InputError, match=what):
            tuned(config, data, out, asked, Budget(trials=5))
    with tuning._alone(out), pytest.raises(InputError, match="another `endcap tune` is working"):
        tuned(configured(), dataset, out, SMALL, Budget(trials=5))
    (out / "study.db").rename(out / "away.db")
    try:
        with pytest.raises(InputError, match=r"found \S+ in .*; expected a new folder"):
            tuned(configured(), dataset, out, SMALL, Budget(trials=5))
        (out / "study.db").write_text("no database")
        with pytest.raises(InputError, match=r"cannot be used: .*damaged"):
            tuned(configured(), dataset, out, SMALL, Budget(trials=5))
    finally:
        (out / "away.db").replace(out / "study.db")


def test_what_an_interrupted_call_was_at_is_done_later_and_not_counted(
    whole: tuple[Path, Tuning], dataset: Dataset, tmp_path: Path
) -> None:
    _, uninterrupted = whole

    def stop(progress: Progress) -> None:
        if (progress.trial, progress.epoch) == (2, 2):
            raise KeyboardInterrupt

    first = tuned(configured(), dataset, tmp_path, SMALL, Budget(trials=4), on_progress=stop)
    assert first.stopped
    assert figures(first) == figures(uninterrupted)[:2]
    assert first.best is not None
    epochs: list[tuple[int, int]] = []
    second = tuned(
        configured(), dataset, tmp_path, SMALL, Budget(trials=4),
        on_progress=lambda progress: epochs.append((progress.trial, progress.epoch)),
    )  # fmt: skip
    assert not second.stopped
    assert figures(second) == figures(uninterrupted)
    assert [trial.number for trial in second.tuned[0].trials] == [0, 1, 3, 4]
    assert not (tmp_path / "checkpoints").exists()


def test_hopeless_trials_are_pruned_by_two_processes(dataset: Dataset, tmp_path: Path) -> None:
    kept = ("model.dim", "model.dropout", "model.layers", "train.weight_decay")
    asked = {key: [] for key in kept} | {"model.hidden": [2, 8], "train.learning_rate": [1e-9, 1e-2]}
    heard: list[Progress] = []
    config = configured("gru", dropout=0.1)
    tuning = tuned(config, dataset, tmp_path, asked, Budget(trials=14, processes=2), on_progress=heard.append)
    (study,) = tuning.tuned
    assert len(study.trials) == 14
    assert {progress.worker for progress in heard} == {0, 1}
    pruned = [trial for trial in study.trials if trial.state == "pruned"]
    assert pruned
    assert all(max(trial.curve) < TRAIN["epochs"] for trial in pruned)
    assert sum(progress.state == "pruned" for progress in heard) == len(pruned)
    assert f"| pruned | {len(pruned)} |" in card(tuning, dataset)
    assert set(study.importance) == {"model.hidden", "train.learning_rate"}
    assert sum(study.importance.values()) == pytest.approx(1)
    page = render(tuning, dataset)
    assert page.count("<figure") == 3
    assert f"pruned, {len(pruned)}" in page
    assert "http" not in page.replace("http://www.w3.org", "")  # it opens offline


def test_a_trial_that_diverges_fails_and_the_others_go_on(dataset: Dataset, tmp_path: Path) -> None:
    train = {**TRAIN, "optimizer": "sgd", "clip": 0}
    asked = {key: [] for key in SPACES["gru"]} | {"train.learning_rate": [0.01, 1e30], "train.clip": [0.0, 1.0, 5.0]}
    config = check({**document("gru"), "train": train}, "test")
    tuning = tuned(config, dataset, tmp_path, asked, Budget(trials=4))
    (study,) = tuning.tuned
    assert [study.count(state) for state in ("done", "failed")] == [1, 3]
    assert (study.ranked[0].given, tuning.best) == (True, config)
    assert gist(tuning)[0].startswith("No trial is better than the config as given, validation NDCG@10 0.")
    failed = next(trial for trial in study.trials if trial.state == "failed")
    assert failed.message.startswith("diverged: the loss of epoch ")
    assert f"- trial {failed.number}: {failed.message}" in card(tuning, dataset)
    assert failed.message in render(tuning, dataset)


def test_no_trial_is_started_when_the_time_is_over(dataset: Dataset, tmp_path: Path) -> None:
    tuning = tuned(configured(), dataset, tmp_path, SMALL, Budget(trials=2, minutes=0))
    assert (tuning.best, tuning.tuned[0].trials) == (None, [])
    save(tuning, dataset, tmp_path)
    assert not (tmp_path / "best.toml").exists()
    assert "No trial was trained to its end." in (tmp_path / "card.md").read_text(encoding="utf-8")


def test_a_process_sees_no_test_part_and_is_replaced_when_it_dies(dataset: Dataset, tmp_path: Path) -> None:
    with Crew(tmp_path, dataset, None) as crew:
        assert "test" not in Dataset.load(tmp_path / "data").table["part"].to_pylist()  # all that it can see
        worker = crew.free(())
        assert crew.free(()) is worker
        worker.process.kill()
        worker.process.wait()
        worker.send({"go_on": True})  # nobody reads it
        dead, message = crew.hear()
        assert dead is worker
        assert message["failed"].startswith("its process was killed by signal 9, perhaps for want of memory")
        other = crew.free(())
        assert (other is worker, other.number) == (False, 0)
    assert other.process.poll() is not None
    assert not (tmp_path / "data").exists()


def test_a_hybrid_gets_the_best_of_its_network(dataset: Dataset, tmp_path: Path) -> None:
    asked = {f"gru.{key}": [] for key in ("dropout", "layers", "hidden")} | {"gru.dim": [8, 16]}
    config = hybrid("popular", "gru")
    tuning = tuned(config, dataset, tmp_path, asked | {"train.weight_decay": []}, Budget(trials=2))
    (study,) = tuning.tuned
    save(tuning, dataset, tmp_path)
    best = load(tmp_path / "best.toml")
    assert isinstance(best.model, HybridConfig)
    values = study.ranked[0].values
    assert best == tuning.best
    assert best.model.parts[1] == applied(study.target.config, values).model
    assert best.train.learning_rate == values["train.learning_rate"]
    assert best.train.seed == config.train.seed
    assert "Each network was tuned alone" in gist(tuning)[-1]
    assert summary(tuning)["studies"][0]["study"] == "1-gru"
