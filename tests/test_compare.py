import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors

from endcap import artifact as artifacts
from endcap import compare as comparisons
from endcap.compare import Comparison, Progress, compare
from endcap.config import Config, check
from endcap.data.dataset import Dataset
from endcap.data.errors import InputError
from endcap.data.split import merged, split
from endcap.examples import examples
from endcap.results import load
from tests.data.test_giveaway import funnel
from tests.worlds import circle_table, table

KEYS = {
    "model", "seed", "dataset", "goal", "split", "masked", "protocol", "metrics", "users", "items", "events",
    "train_seconds", "evaluate_seconds", "epochs", "peak_rss_mb", "parameters",
}  # fmt: skip
METRICS = {"hr@5", "hr@10", "hr@20", "ndcg@5", "ndcg@10", "ndcg@20", "mrr@20"}


def world(name: str = "circle", *, late_item: bool = True) -> Dataset:
    """The circle; user u0 meets item `late` on validation, which training alone does not know."""
    rows = circle_table().to_pylist()
    if late_item:
        rows.append({"user_id": "u0", "item_id": "late", "time": 1_000_000.0 + 60 * 60, "part": "valid"})
        rows = [row for row in rows if (row["user_id"], row["part"]) != ("u0", "test")]
    facts = {"format": "csv", "columns": {}, "notes": [], "rows": len(rows), "steps": [], "cuts": None}
    return Dataset(name, table([{k: v for k, v in row.items() if k != "row"} for row in rows]), None, {}, facts)


def config(model: str, **train: Any) -> Config:
    document = {
        "data": {"events": "circle.csv"},
        "split": {"method": "leave-one-out"},
        "model": {"name": model},
        "train": {"epochs": 2, "batch_tokens": 128, **train},
    }
    return check(document, "test")


def run(out: Path, *configs: Config, dataset: Dataset | None = None, **options: Any) -> tuple[Comparison, list[str]]:
    """The comparison, and the runs that were not skipped."""
    done: list[str] = []

    def hear(progress: Progress) -> None:
        if progress.state == "done":
            done.append(progress.run)

    return compare(configs, dataset or world(), out, on_progress=hear, **options), sorted(done)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Comparison]:
    """Three models, two seeds, both protocols."""
    out = tmp_path_factory.mktemp("whole") / "out"
    return out, run(out, config("popular"), config("transitions"), config("gru"), seeds=2, refit=True)[0]


def test_results_have_the_names_that_programs_read(whole: tuple[Path, Comparison]) -> None:
    results = json.loads((whole[0] / "results.json").read_text())
    found = sorted((result["model"], result["seed"], result["protocol"]) for result in results)
    models = [("gru", 0), ("gru", 1), ("popular", 0), ("transitions", 0)]  # counting draws nothing at random
    assert found == [(*model, protocol) for model in models for protocol in ("refit", "strict")]
    for result in results:
        assert result.keys() >= KEYS
        assert result["metrics"].keys() >= METRICS
        assert all(0 <= result["metrics"][name] <= 1 for name in METRICS)
        assert result["peak_rss_mb"] > 50
        assert (result["dataset"], result["goal"], result["split"]) == ("circle", "any", "leave-one-out")
        for part in ("valid", "test"):
            again, new = (result["intents"][intent][part] for intent in ("again", "new"))
            assert again == {"n": 0, "hr@10": None, "ndcg@10": None}  # nobody comes back on the circle so soon
            assert new["n"] > 50
            assert 0 <= new["ndcg@10"] <= new["hr@10"] <= 1
    by_model = {result["model"]: result["metrics"]["ndcg@10"] for result in results if result["protocol"] == "strict"}
    assert by_model["transitions"] > 0.9 > by_model["popular"]


def test_a_question_that_gives_its_answer_away_is_said(tmp_path: Path) -> None:
    """Every purchase is of what was just put into the cart; views are of what is new to the visitor."""
    facts = {"format": "csv", "columns": {}, "notes": [], "rows": 0, "steps": [], "cuts": None}
    shop = Dataset("funnel", table(funnel(8)), None, {}, facts)
    document = {"data": {"events": "funnel.csv", "goal": "purchase"}, "model": {"name": "own"}}
    own = check(document | {"split": {"method": "leave-one-out"}}, "test")
    comparison, _ = run(tmp_path, own, dataset=shop)
    summary = comparison.summaries["strict"]
    assert (comparison.results[0].questions, summary.questions) == (8, 8)
    assert summary.standings[0].metrics["hr@10"] == 1
    assert summary.standings[0].intervals["hr@10"][0] == pytest.approx(8 / (8 + 1.96**2))
    assert "gives its answer away: 100% of the 8 answers are the product that was put" in summary.verdict[0]
    assert "--goal view --repeats mask" in summary.verdict[0]


def test_every_part_of_a_hybrid_has_its_row(tmp_path: Path) -> None:
    """Parts by themselves, and those that count together; but no second row for what is compared as it is."""
    parts = [{"name": "transitions"}, {"name": "popular"}, {"name": "gru", "dim": 8, "hidden": 8}]
    of = check({"data": {"events": "x"}, "model": {"name": "hybrid", "parts": parts}}, "test").model
    comparison, _ = run(
        tmp_path, replace(config("hybrid"), model=of), config("popular"), dataset=world(late_item=False)
    )
    rows = {each.model: each for each in comparison.summaries["strict"].standings}
    assert set(rows) == {"hybrid", "popular", "hybrid-transitions", "hybrid-gru", "hybrid-counts"}
    assert rows["hybrid-transitions"].train_seconds < rows["hybrid"].train_seconds
    assert 0 < rows["hybrid-counts"].train_seconds < rows["hybrid"].train_seconds
    kept = {result.model: result for result in comparison.results}
    assert kept["hybrid-gru"].history
    assert kept["hybrid-counts"].made_of.startswith("transitions")
    assert "gru" not in kept["hybrid-counts"].made_of
    offered = artifacts.load(tmp_path / "models" / "hybrid-counts")  # what a verdict offers can be served
    assert offered.facts["metrics"]["ndcg@10"] == kept["hybrid-counts"].metrics["ndcg@10"]


def test_seeds_differ(whole: tuple[Path, Comparison]) -> None:
    first, second = [r for r in load(whole[0] / "results.json") if (r.model, r.protocol) == ("gru", "strict")]
    assert first.history[0]["loss"] != second.history[0]["loss"]


def test_the_refit_sees_validation_events_and_nothing_later(whole: tuple[Path, Comparison]) -> None:
    data = world().table
    before, after = split(data).train, split(merged(data)).train
    for result in load(whole[0] / "results.json"):
        expected = before if result.protocol == "strict" else after
        assert (result.events, result.items) == (len(expected.items), expected.n_items)
    assert "late" not in before.vocabulary.ids
    kept = artifacts.load(whole[0] / "models" / "gru")
    assert "late" in kept.vocabulary.ids
    assert kept.facts["protocol"] == "refit"
    assert not merged(data)["part"].to_pylist().count("valid")
    assert merged(data)["part"].to_pylist().count("test") == data["part"].to_pylist().count("test")


def test_summaries_rank_by_validation_and_name_one(whole: tuple[Path, Comparison]) -> None:
    _, comparison = whole
    assert set(comparison.summaries) == {"strict", "refit"}
    assert comparison.summaries["strict"].chosen == "transitions"
    new = comparison.summaries["strict"].intents["new"]
    assert (new.model, new.best) == ("transitions", "transitions")
    assert len(new.reached) == 3
    assert new == comparison.summaries["refit"].intents["new"]  # after a refit validation tells nothing
    assert {standing.model: standing.seeds for standing in comparison.summaries["strict"].standings} == {
        "transitions": 1,
        "gru": 2,
        "popular": 1,
    }


def test_the_kept_artifact_is_of_the_seed_that_validation_prefers(whole: tuple[Path, Comparison]) -> None:
    out, _ = whole
    valid = {r.seed: r.valid for r in load(out / "results.json") if (r.model, r.protocol) == ("gru", "strict")}
    kept = artifacts.load(out / "models" / "gru").config.train.seed
    assert valid[kept] == max(valid.values())
    assert sorted(path.name for path in (out / "models").iterdir()) == ["gru", "popular", "transitions"]


def test_examples_are_in_words(whole: tuple[Path, Comparison]) -> None:
    shown = examples(world(), whole[0] / "models", of="popular", k=3)
    assert [(example["outcome"], example["of"]) for example in shown] == [
        ("at its head", "popular"), ("in its second half", "popular"), ("nowhere", "popular"),
    ]  # fmt: skip
    for example in shown:
        place, listed = example["place"], [line["id"] for line in example["models"]["popular"]]
        [answer] = [line["id"] for line in example["answers"]]
        assert (answer in listed) == (example["outcome"] != "nowhere")
        assert place == (listed.index(answer) + 1 if answer in listed else 0)
        assert {"at its head": place == 1, "in its second half": place > 1, "nowhere": True}[example["outcome"]]
        assert set(example["models"]) == {"gru", "popular", "transitions"}
        had = [line["id"] for line in example["history"]]
        for lines in example["models"].values():
            assert len(lines) == 3
            assert not {line["id"] for line in lines} & set(had)  # seen items are masked
        after = f"i{(int(had[-1][1:]) + 1) % 12}" if had[-1] != "late" else None
        assert example["models"]["transitions"][0]["id"] == after


def test_a_catalogue_smaller_than_the_lists(tmp_path: Path) -> None:
    small = circle_table(n_items=3, n_users=20)
    dataset = Dataset("small", small, None, {}, world().facts)
    run(tmp_path / "out", config("popular"), dataset=dataset)
    shown = examples(dataset, tmp_path / "out" / "models", k=5)
    assert all(0 < len(example["models"]["popular"]) <= 3 for example in shown)
    assert len(shown)


def test_a_run_is_redone_only_when_something_it_depends_on_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    popular = config("popular")
    first, done = run(out, popular, processes=1)
    assert done == ["popular seed 0"]
    again, done = run(out, popular, processes=1)
    assert done == []
    assert again.results[0].metrics == first.results[0].metrics
    _, done = run(out, config("popular", valid_queries=7), processes=1)
    assert done == ["popular seed 0"]  # the config changed
    _, done = run(out, config("popular", valid_queries=7), dataset=world(late_item=False), processes=1)
    assert done == []  # the table did, but files and facts are what says so
    other = world()
    other.files["circle.csv"] = "another sha256"
    _, done = run(out, config("popular", valid_queries=7), dataset=other, processes=1)
    assert done == ["popular seed 0"]  # the data changed
    monkeypatch.setattr(comparisons, "code_hash", lambda: "of another version")
    _, done = run(out, config("popular", valid_queries=7), dataset=other, processes=1)
    assert done == ["popular seed 0"]  # the code changed


def test_a_run_that_fails_is_one_clear_error(tmp_path: Path) -> None:
    poor = [row for row in circle_table().to_pylist() if row["part"] != "valid"]
    dataset = Dataset("poor", table(poor), None, {}, world().facts)
    with pytest.raises(InputError, match="popular-0 failed: found no validation question") as error:
        run(tmp_path / "out", config("popular"), dataset=dataset)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out" / "results.json").exists()


def test_what_cannot_be_compared_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found gru twice"):
        run(tmp_path / "out", config("gru"), config("gru", epochs=3))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_text("dear")
    with pytest.raises(InputError, match=r"found me\.jpg in"):
        run(tmp_path / "photos", config("gru"))
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["me.jpg"]


SCRIPT = """
import sys
from pathlib import Path
from tests.test_compare import LONG, run
run(Path(sys.argv[1]), LONG, processes=1)
"""
LONG = config("gru", epochs=40, patience=0)


def child(out: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", SCRIPT, str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=Path(__file__).parents[1])


def test_a_killed_comparison_goes_on_where_it_was(tmp_path: Path) -> None:
    checkpoint = tmp_path / "out" / "runs" / "gru-0" / "checkpoint" / "checkpoint.safetensors"
    with child(tmp_path / "out") as process:
        while not checkpoint.exists() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "out" / "results.json").exists()
    with safetensors.safe_open(checkpoint, "pt") as file:
        first_epoch = json.loads(file.metadata()["state"])["epochs"][0]
    [resumed] = run(tmp_path / "out", LONG, processes=1)[0].results
    assert resumed.history[0] == first_epoch  # its seconds too: it was not trained again
    assert not checkpoint.parent.exists()
    [undisturbed] = run(tmp_path / "whole", LONG, processes=1)[0].results
    assert resumed.metrics == undisturbed.metrics
    assert [epoch["loss"] for epoch in resumed.history] == [epoch["loss"] for epoch in undisturbed.history]
