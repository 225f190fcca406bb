"""Intervals, tests and the verdict; and results.json, there and back."""

import json
import math
import resource
import signal
from dataclasses import replace

import numpy as np
import pytest

from endcap.bootstrap import holm
from endcap.data.errors import InputError
from endcap.results import Result, load, save
from endcap.summary import summarise

PLAIN = Result(
    model="popular",
    seed=0,
    dataset="shop",
    goal="purchase",
    split="temporal",
    masked=True,
    protocol="strict",
    metrics={"ndcg@10": 0.1, "hr@10": 0.2, "missed_never_in_training": 0.0},
    users=1000,
    items=200,
    events=50_000,
    train_seconds=0.1,
    evaluate_seconds=0.1,
    epochs=0,
    peak_rss_mb=300.0,
    parameters=201,
    valid=0.1,
)
EPOCHS = [{"epoch": epoch, "loss": 5.0, "metric": 0.1} for epoch in range(1, 6)]


def comparison(n: int = 2000, **models: dict) -> tuple[list[Result], dict]:
    """Models by name: `mean` on the test part, `valid`, `seconds`, `seeds`, and `noise` of their own."""
    random = np.random.default_rng(0)
    base = random.random(n)
    results, values = [], {}
    for model, about in models.items():
        for seed in range(about.get("seeds", 1)):
            own = base * about["mean"] * 2 + random.normal(0, about.get("noise", 0.0), n)
            values[model, seed] = {"ndcg@10": own, "hr@10": own * 2}
            metrics = PLAIN.metrics | {"ndcg@10": float(own.mean()), "hr@10": 2 * float(own.mean())}
            results.append(
                replace(
                    PLAIN,
                    model=model,
                    seed=seed,
                    metrics=metrics,
                    valid=about["valid"],
                    train_seconds=about.get("seconds", 10.0),
                    epochs=about.get("epochs", 0),
                    history=about.get("history", []),
                )
            )
    return results, values


def test_interval_agrees_with_the_normal_approximation():
    results, values = comparison(n=5000, popular={"mean": 0.1, "valid": 0.1, "noise": 0.2})
    low, high = summarise(results, values).standings[0].intervals["ndcg@10"]
    own = values["popular", 0]["ndcg@10"]
    half = 1.96 * own.std() / math.sqrt(len(own))
    assert (low, high) == pytest.approx((own.mean() - half, own.mean() + half), abs=0.1 * half)


def test_same_draw_for_all_models_sees_small_differences():
    """The difference is 2 % while each interval alone is ±3 %: only pairing can tell them apart."""
    results, values = comparison(a={"mean": 0.1, "valid": 0.2}, b={"mean": 0.098, "valid": 0.1})
    first, second = summarise(results, values).standings
    versus = second.versus["ndcg@10"]
    assert second.intervals["ndcg@10"][1] > first.intervals["ndcg@10"][0]
    assert versus.high < 0
    assert versus.difference == pytest.approx(second.metrics["ndcg@10"] - first.metrics["ndcg@10"])
    assert versus.p < 0.01
    assert not first.versus


def test_equal_models_do_not_differ():
    results, values = comparison(a={"mean": 0.1, "valid": 0.2}, b={"mean": 0.1, "valid": 0.1})
    versus = summarise(results, values).standings[1].versus["ndcg@10"]
    assert (versus.difference, versus.p) == (0, 1)
    assert -0.002 < versus.low < 0 < versus.high < 0.002  # 2,000 questions alike: up to .2 % of all may be otherwise


@pytest.mark.parametrize(("value", "low", "high"), [(1.0, 0.9197, 1.0), (0.0, 0.0, 0.0803), (0.5, 0.4598, 0.5402)])
def test_an_interval_of_equal_values_is_as_wide_as_their_number_allows(value, low, high):
    """44 hits of 44: Wilson's interval begins at n / (n + z²) = .9197, however often they are drawn."""
    own = {name: np.full(44, value) for name in ("ndcg@10", "hr@10")}
    standing = summarise([replace(PLAIN, metrics=dict.fromkeys(own, value))], {("popular", 0): own}).standings[0]
    assert standing.intervals["ndcg@10"] == pytest.approx((low, high), abs=1e-4)
    assert standing.intervals["hr@10"] == pytest.approx((low, high), abs=1e-4)
    assert standing.questions == 44


@pytest.mark.parametrize(("n", "least"), [(1, 1.0), (2, 0.5), (5, 0.0625), (6, 0.03125)])
def test_no_p_below_what_so_few_questions_allow(n, least):
    results = [replace(PLAIN, model="a", valid=0.2), replace(PLAIN, model="b")]
    values = {(model, 0): dict.fromkeys(("ndcg@10", "hr@10"), np.full(n, v)) for model, v in (("a", 1.0), ("b", 0.0))}
    summary = summarise(results, values)
    assert summary.standings[1].versus["ndcg@10"].p == least
    said = " ".join(summary.verdict)
    few = summary.verdict[0].startswith(f"Warning: {n} test question") and "nothing apart" in summary.verdict[0]
    assert (few, "more than chance explains" in said) == (n < 6, n == 6)


def test_questions_on_which_two_models_agree_say_nothing_of_their_difference():
    """Three of 1,000 questions differ: a sign test of three cannot go below .25."""
    results = [replace(PLAIN, model="a", valid=0.2), replace(PLAIN, model="b")]
    ones, fewer = np.ones(1000), np.concatenate([np.zeros(3), np.ones(997)])
    values = {(model, 0): dict.fromkeys(("ndcg@10", "hr@10"), v) for model, v in (("a", ones), ("b", fewer))}
    assert summarise(results, values).standings[1].versus["ndcg@10"].p >= 0.25


GIVEN = {"answers": 44, "last": 0.9, "history": 1.0, "last_cart": 1.0, "instead": "view", "instead_history": 0.2}


@pytest.mark.parametrize(
    ("found", "masked", "start", "instead"),
    [
        (GIVEN, False, "Warning: this question gives its answer away: 100% of the 44 answers are the product that was "
         "put into the cart last", "--goal view --repeats mask (20%"),
        (GIVEN | {"last_cart": 0.0, "instead": ""}, False, "Warning: this question gives its answer away: 90% of the "
         "44 answers are the product of the event before", "no other kind of event"),
        (GIVEN | {"last_cart": 0.5, "last": 0.5, "history": 0.6, "instead": ""}, False,
         "Warning: 60% of the 44 answers are products that stand in the history already", "use --repeats mask."),
        (GIVEN, True, "Warning: 100% of the 44 answers are products of the history, which no list may show",
         "Use --repeats allow, or ask for the next other product, --goal view"),
    ],
)  # fmt: skip
def test_a_question_that_gives_its_answer_away_is_the_headline(found, masked, start, instead):
    results, values = comparison(a={"mean": 0.1, "valid": 0.2})
    summary = summarise([replace(results[0], masked=masked, giveaway=found)], values)
    assert summary.verdict[0].startswith(start)
    assert instead in summary.verdict[0]
    assert summary.to_dict()["giveaway"] == found


def test_an_honest_question_has_no_such_headline():
    results, values = comparison(a={"mean": 0.1, "valid": 0.2})
    honest = GIVEN | {"last": 0.5, "history": 0.5, "last_cart": 0.5}
    assert summarise([replace(results[0], giveaway=honest)], values).verdict[0].startswith("A is the only model here")


def test_seeds_are_averaged_by_user_before_the_draw():
    results, values = comparison(a={"mean": 0.1, "valid": 0.2, "seeds": 3, "noise": 0.3})
    standing = summarise(results, values).standings[0]
    each = [values["a", seed]["ndcg@10"].mean() for seed in range(3)]
    assert standing.metrics["ndcg@10"] == pytest.approx(np.mean(each))
    assert standing.spread["ndcg@10"] == pytest.approx(np.std(each, ddof=1))
    mean = np.mean([values["a", seed]["ndcg@10"] for seed in range(3)], axis=0)
    low, high = standing.intervals["ndcg@10"]
    assert high - low == pytest.approx(2 * 1.96 * mean.std() / math.sqrt(len(mean)), rel=0.1)


def test_one_seed_one_summary():
    results, values = comparison(a={"mean": 0.1, "valid": 0.2, "noise": 0.1}, b={"mean": 0.1, "valid": 0.1})
    assert summarise(results, values).to_dict() == summarise(results, values).to_dict()
    assert summarise(results, values, seed=1) != summarise(results, values)


@pytest.mark.parametrize(
    ("ps", "expected"),
    [([], []), ([0.04], [0.04]), ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]), ([0.5, 0.9], [1.0, 1.0])],
)
def test_holm(ps, expected):
    assert holm(ps) == pytest.approx(expected)


def test_choice_is_made_on_validation_and_says_when_the_test_part_disagrees():
    results, values = comparison(
        lucky={"mean": 0.12, "valid": 0.1}, careful={"mean": 0.1, "valid": 0.2}, late={"mean": 0.01, "valid": 0.01}
    )
    summary = summarise(results, values)
    assert summary.chosen == "careful"
    assert [standing.model for standing in summary.standings] == ["careful", "lucky", "late"]
    assert summary.verdict[0].startswith("Use careful: it is the best on validation (0.2000")
    assert any("lucky is better than the choice" in sentence for sentence in summary.verdict)


def on_validation(n: int = 2000, noise: float = 0.05, **means: float) -> dict:
    """(model, seed) -> what each validation question got."""
    random = np.random.default_rng(3)
    base = random.random(n)
    return {(model, 0): 2 * mean * base + random.normal(0, noise, n) for model, mean in means.items()}


MODELS = {
    "transformer": {"mean": 0.1, "valid": 0.2, "seconds": 100, "noise": 0.1},
    "transitions": {"mean": 0.1, "valid": 0.199, "seconds": 2, "noise": 0.1},
}


def test_cheaper_model_that_is_as_good_is_recommended():
    valid = on_validation(transformer=0.2, transitions=0.1995)
    summary = summarise(*comparison(**MODELS), valid=valid)
    assert summary.cheaper == "transitions"
    assert "trains in 2.0 s instead of 100 s" in summary.verdict[0]
    assert summary.verdict[0].startswith("Use transitions: on validation it is as good as transformer")
    worse_on_validation = MODELS | {"transitions": MODELS["transitions"] | {"valid": 0.1}}
    assert summarise(*comparison(**worse_on_validation), valid=valid).cheaper is None
    beyond_doubt = on_validation(transformer=0.2, transitions=0.195)
    assert summarise(*comparison(**MODELS), valid=beyond_doubt).cheaper is None
    as_slow = MODELS | {"transitions": MODELS["transitions"] | {"seconds": 90}}
    assert summarise(*comparison(**as_slow), valid=valid).cheaper is None
    assert summarise(*comparison(**MODELS)).cheaper is None  # what validation said is not known


def test_the_offer_says_what_it_is_made_of():
    results, values = comparison(**MODELS)
    results[1] = replace(results[1], made_of="own and a second look")
    said = summarise(results, values, valid=on_validation(transformer=0.2, transitions=0.1995)).verdict[0]
    assert said.startswith("Use transitions (own and a second look): on validation it is as good as transformer")


@pytest.mark.parametrize("mean", [0.0, 0.05, 0.1, 0.3])
def test_the_test_part_chooses_nothing(mean):
    """Whatever the test part says of the cheaper model, the choice and the offer stay validation's."""
    models = MODELS | {"transitions": MODELS["transitions"] | {"mean": mean}}
    summary = summarise(*comparison(**models), valid=on_validation(transformer=0.2, transitions=0.1995))
    assert (summary.chosen, summary.cheaper) == ("transformer", "transitions")


def test_questions_that_one_model_was_not_asked_are_left_out():
    """A hybrid is judged on a sample: on what both were asked there is no difference."""
    valid = on_validation(noise=0.0, transformer=0.2, transitions=0.2)
    valid["transformer", 0][:500] = np.nan
    valid["transitions", 0][:500] = 0.0
    assert summarise(*comparison(**MODELS), valid=valid).cheaper == "transitions"


def test_remarks_on_runs_and_data():
    results, values = comparison(gru={"mean": 0.1, "valid": 0.2, "epochs": 5, "history": EPOCHS})
    results = [
        replace(
            results[0],
            metrics=results[0].metrics | {"missed_never_in_training": 0.25},
            events=1000,
            other={"masked": False, "metrics": {"ndcg@10": 0.4}},
        )
    ]
    said = " ".join(summarise(results, values).verdict)
    assert "gru still improved in the last epoch" in said
    assert "gru ran with one seed" in said
    assert "25% of the answers were never in training" in said
    assert "5.0 an item: little" in said
    assert "with them allowed, gru would reach NDCG@10 0.4000" in said
    calm, values = comparison(gru={"mean": 0.1, "valid": 0.2, "epochs": 3, "history": EPOCHS, "seeds": 3})
    said = " ".join(summarise(calm, values).verdict)
    assert not any(word in said for word in ("still improved", "one seed", "never in training", "little"))


def test_wide_interval_is_said():
    results, values = comparison(n=50, a={"mean": 0.1, "valid": 0.2, "noise": 0.3})
    assert any("50 test questions leave an interval" in sentence for sentence in summarise(results, values).verdict)


def test_without_validation_nothing_is_chosen_by_test():
    results, values = comparison(b={"mean": 0.2, "valid": math.nan}, a={"mean": 0.1, "valid": math.nan})
    summary = summarise(results, values)
    assert "none is chosen" in summary.verdict[0]
    assert [standing.model for standing in summary.standings] == ["a", "b"]


def test_no_question_is_said():
    none = {name: np.zeros(0) for name in ("ndcg@10", "hr@10")}
    assert "no test question" in summarise([PLAIN], {("popular", 0): none}).verdict[0]


def test_summary_is_json_without_nan():
    text = json.dumps(summarise(*comparison(a={"mean": 0.1, "valid": 0.2})).to_dict(), allow_nan=False)
    assert json.loads(text)["standings"][0]["spread"]["ndcg@10"] is None


def test_values_that_do_not_fit():
    results, values = comparison(a={"mean": 0.1, "valid": 0.2}, b={"mean": 0.1, "valid": 0.1})
    with pytest.raises(InputError, match="b was evaluated on other questions"):
        summarise(results, values | {("b", 0): {name: each[1:] for name, each in values["b", 0].items()}})
    with pytest.raises(InputError, match="found no values"):
        summarise(results, {key: each for key, each in values.items() if key[0] == "a"})
    with pytest.raises(InputError, match="found no result"):
        summarise([], {})


def test_results_there_and_back(tmp_path):
    path = tmp_path / "results.json"
    result = replace(
        PLAIN,
        metrics={"ndcg@10": 0.1, "diversity@10": math.nan},
        other={"masked": False, "metrics": {"diversity@10": math.nan}},
        history=[*EPOCHS, {"epoch": 6, "loss": math.nan}],
        chosen={"window": None, "half_life": 3.0},
        dataset="café 店",
        valid=math.nan,
    )
    save([result, PLAIN], path)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document[0]["metrics"] == {"ndcg@10": 0.1, "diversity@10": None}
    names = "model seed dataset goal split masked protocol metrics users items events train_seconds evaluate_seconds"
    assert set((names + " epochs peak_rss_mb parameters").split()) <= set(document[0])
    back = load(path)
    assert repr(back) == repr([result, PLAIN])  # NaN equals nothing, but reads alike
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "found no"), ("[{", "no list of results"), ("[1]", "no list"), ('[{"model": "a"}]', "no list of results")],
)
def test_damaged_results(tmp_path, text, message):
    path = tmp_path / "results.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        load(path)


def test_full_disk_leaves_the_old_results_whole(tmp_path):
    path = tmp_path / "results.json"
    save([PLAIN], path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
        with pytest.raises(InputError, match="nothing was changed"):
            save([PLAIN] * 100, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert load(path) == [PLAIN]
    assert len(list(tmp_path.iterdir())) == 1


def test_the_verdict_says_what_validation_said_of_the_parts() -> None:
    values = {("hybrid", 0): {name: np.ones(10) for name in ("ndcg@10", "hr@10")}}
    said = summarise([replace(PLAIN, model="hybrid", valid=0.1, note="counts alone are enough")], values).verdict
    assert "Hybrid: counts alone are enough." in said


def halves(n: int = 1000, **means: tuple[float, float]) -> dict:
    """(model, seed) -> what each validation question got, of answers had again and of new ones."""
    random = np.random.default_rng(1)
    base = random.random(n)
    return {(model, 0): {"again": 2 * again * base, "new": 2 * new * base} for model, (again, new) in means.items()}


def test_each_intent_has_its_own_model_where_that_is_more_than_chance() -> None:
    # The best of all reminds well and discovers the worst, as it was on groceries.
    results, values = comparison(a={"mean": 0.2, "valid": 0.2}, b={"mean": 0.1, "valid": 0.1})
    summary = summarise(results, values, intents=halves(a=(0.3, 0.01), b=(0.1, 0.02)))
    assert summary.chosen == "a"
    assert {intent: choice.model for intent, choice in summary.intents.items()} == {"again": "a", "new": "b"}
    new = summary.intents["new"]
    assert new.questions == 1000
    assert new.best == "b"
    assert new.of("b").value == pytest.approx(0.02, rel=0.1)
    assert new.of("b").difference_low > 0
    assert new.of("a").p_holm == 1
    said = next(line for line in summary.verdict if "discovery" in line)
    assert said.startswith("Warning: for discovery use b beside it")
    assert "It takes the slot new." in said
    assert any(line.startswith("It is also the best at what a visitor had before") for line in summary.verdict)
    found = json.loads(json.dumps(summary.to_dict(), allow_nan=False))
    assert found["intents"]["new"]["model"] == "b"


@pytest.mark.parametrize(("n", "why"), [(60, "too few"), (1000, "may be chance")])
def test_an_intent_stays_with_the_choice_where_little_is_known(n: int, why: str) -> None:
    results, values = comparison(a={"mean": 0.2, "valid": 0.2}, b={"mean": 0.1, "valid": 0.1})
    intents = halves(n, a=(0.3, 0.01), b=(0.1, 0.02))
    if n == 1000:  # the same mean, from other visitors
        one = intents["a", 0]["new"]
        intents["b", 0]["new"] = np.random.default_rng(2).permutation(one) + 1e-6
    summary = summarise(results, values, intents=intents)
    assert (summary.intents["new"].best, summary.intents["new"].model) == ("b", "a")
    assert any(why in line and "never had" in line for line in summary.verdict)


def test_seeds_and_questions_of_an_intent() -> None:
    results, values = comparison(a={"mean": 0.2, "valid": 0.2}, b={"mean": 0.1, "valid": 0.1})
    intents = halves(a=(0.3, 0.01), b=(0.1, 0.01))
    intents["b", 1] = {name: 3 * each for name, each in intents["b", 0].items()}
    assert summarise(results, values, intents=intents).intents["new"].of("b").value == pytest.approx(0.02, rel=0.1)
    nobody = {key: {"again": np.zeros(0), "new": each["new"]} for key, each in intents.items()}
    assert set(summarise(results, values, intents=nobody).intents) == {"new"}
    assert summarise(results, values).intents == {}
    intents["a", 0]["new"] = intents["a", 0]["new"][1:]
    with pytest.raises(InputError, match="different questions"):
        summarise(results, values, intents=intents)


def test_on_simulated_visits_the_best_model_that_knows_content_serves() -> None:
    models = {"counts": {"mean": 0.3, "valid": 0.3}, "b": {"mean": 0.1, "valid": 0.1}, "a": {"mean": 0.2, "valid": 0.2}}
    results, values = comparison(**models)
    intents = halves(counts=(0.3, 0.3), a=(0.1, 0.1), b=(0.3, 0.4))
    real = summarise(results, values, intents=intents)
    assert (real.chosen, real.serves, real.intents["new"].model) == ("counts", "counts", "b")
    made_up = summarise(results, values, intents=intents, by_content=["a", "b"])
    assert (made_up.chosen, made_up.serves, made_up.intents) == ("counts", "a", {})
    assert made_up.verdict[0].startswith("The visits are simulated")
    assert "shelves are filled by a, by likeness of products" in made_up.verdict[0]
