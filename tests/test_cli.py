"""The command line as people and programs meet it: what it prints, where, and with which exit code."""

import gzip
import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap import artifact as artifacts
from endcap import cli

COMMANDS = ("check", "compare", "train", "evaluate", "recommend", "look", "similar", "demo")
STRANGE = ("a b", "1,5", 'say "hi"', "🛒", "红茶", "x" * 1_000, "it's; --", "[bold]no[/bold]")


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def endcap(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """Runs a command in this process."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: object) -> Said:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Said(int(ended.value.code or 0), out, err)

    return run


def refused(said: Said) -> str:
    """The one line that says what is wrong; the exit code is 2."""
    lines = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert said.code == 2, said
    assert len(lines) == 1, said.err
    assert said.err.rstrip().splitlines()[-1] == lines[0]
    return lines[0]


def write_log(path: Path, *, n_users: int = 30, ids: tuple[str, ...] = tuple(f"i{n}" for n in range(8))) -> Path:
    """Users walk around a circle of items, all at once, so that each cut of time leaves questions."""
    rows = ["user_id,item_id,kind,time,price"]
    for user in range(n_users):
        for step in range(6):
            item = ids[(user + step) % len(ids)].replace('"', '""')
            kind = ("view", "purchase")[step % 2]
            rows.append(f'u{user},"{item}",{kind},{1_600_000_000 + 86_400 * step + 60 * user},{1 + step}.5')
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def write_config(path: Path, events: Path, model: str = "popular", more: str = "") -> Path:
    path.write_text(f'[data]\nevents = "{events}"\n[model]\nname = "{model}"\n{more}', encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with log.csv, config.toml and the artifact `a` that was trained by them."""
    folder = tmp_path_factory.mktemp("trained")
    config = write_config(folder / "config.toml", write_log(folder / "log.csv"), "transitions")
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", str(config), str(folder / "a")])
    assert not ended.value.code
    return folder


# help and usage


def test_says_its_version(endcap: Callable[..., Said]) -> None:
    said = endcap("--version")
    assert (said.code, said.out.strip()) == (0, f"endcap {metadata.version('endcap')}")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_each_example_on_a_line_of_its_own(command: str, endcap: Callable[..., Said]) -> None:
    said = endcap(command, "--help")
    source = re.sub(r"\s+", " ", getattr(cli, command).__doc__)
    examples = re.findall(r"`(endcap [^`]+)`", source)
    assert said.code == 0
    assert examples
    assert all(example.startswith(f"endcap {command}") for example in examples)
    lines = [line.strip() for line in said.out.splitlines()]
    for example in examples:
        assert example in lines


def test_no_command_is_help(endcap: Callable[..., Said]) -> None:
    said = endcap()
    assert all(command in said.out + said.err for command in COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["chekc", "log.csv"],
        ["check"],
        ["check", "log.csv", "--colour"],
        ["compare", "log.csv"],
        ["compare", "log.csv", "--out", "x", "--split", "random"],
        ["compare", "log.csv", "--out", "x", "--seeds", "0"],
        ["recommend", "a", "--goal", "love"],
        ["recommend", "a", "-k", "many"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(arguments: list[str], endcap: Callable[..., Said]) -> None:
    said = endcap(*arguments)
    assert (said.code, said.out) == (2, "")
    assert "Usage" in said.err or "usage" in said.err


def test_a_process_fails_like_a_call(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "endcap", "check", tmp_path / "none.csv"], capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.strip().splitlines()[-1].startswith("error: ")
    assert "Traceback" not in ended.stderr


# check


def test_check_tells_and_json_is_json_alone(tmp_path: Path, endcap: Callable[..., Said]) -> None:
    log = write_log(tmp_path / "log.csv")
    said = endcap("check", log)
    assert said.code == 0
    assert "180" in said.out
    assert "can be used" in said.out
    about = json.loads(endcap("check", log, "--json").out)
    assert (about["format"], about["events"], about["users"], about["items"]) == ("csv", 180, 30, 8)
    assert about["kinds"] == {"purchase": 90, "view": 90}
    assert about["columns"]["time"] == "time"


def test_every_problem_can_be_had(tmp_path: Path, endcap: Callable[..., Said]) -> None:
    log = write_log(tmp_path / "log.csv")
    with log.open("a") as file:
        for number in range(50):
            file.write(f'u{number},"a, b",view,never {number},-1\n')
    said = endcap("check", log, "--problems", tmp_path / "problems.csv")
    assert said.code == 0
    assert "--problems FILE.csv" in said.out
    lines = (tmp_path / "problems.csv").read_text().splitlines()
    assert len(lines) == 1 + 100  # a time and a price in each of 50 rows
    assert '"never 49"' in lines[-1] + lines[-2]
    assert len(json.loads(endcap("check", log, "--json").out)["problems"]) == 20


def test_a_catalogue_is_checked_too(tmp_path: Path, endcap: Callable[..., Said]) -> None:
    (tmp_path / "items.csv").write_text("item_id,title\ni1,One\ni1,Again\ni2,Two\n")
    about = json.loads(
        endcap("check", write_log(tmp_path / "log.csv"), "--items", tmp_path / "items.csv", "--json").out
    )
    assert (about["catalogue"], about["unknown_items"]) == (2, 6)
    assert [sort["column"] for sort in about["problem_sorts"]] == ["items.item_id"]


def test_kinds_and_columns_can_be_named(tmp_path: Path, endcap: Callable[..., Said]) -> None:
    rows = [f"a{n % 3},p{n},glimpsed,{1_600_000_000 + n}" for n in range(9)]
    (tmp_path / "log.csv").write_text("\n".join(["visitor,thing,what,moment", *rows]))
    named = ["--map", "user_id=visitor", "--map", "item_id=thing", "--map", "kind=what", "--map", "time=moment"]
    about = json.loads(endcap("check", tmp_path / "log.csv", *named, "--kind", "glimpsed=view", "--json").out)
    assert about["kinds"] == {"view": 9}


# what cannot be used: each one line and exit code 2

HEADER = "user_id,item_id,kind,time,price\n"
ROW = "u1,i1,view,1600000000,1\n"


def no_such_file(folder: Path) -> Path:
    return folder / "none.csv"


def text(content: str, name: str = "log.csv") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_text(content, encoding="utf-8")
        return folder / name

    return make


def latin_header(folder: Path) -> Path:
    (folder / "log.csv").write_bytes("user_id,item_id,prix_é\nu1,i1,2\n".encode("latin-1"))
    return folder / "log.csv"


def cut_gz(folder: Path) -> Path:
    whole = gzip.compress((HEADER + ROW * 50_000).encode(), 1)
    (folder / "log.csv.gz").write_bytes(whole[: len(whole) // 2])
    return folder / "log.csv.gz"


def cut_parquet(folder: Path) -> Path:
    path = folder / "log.parquet"
    pq.write_table(pa.table({"user_id": ["u"] * 9, "item_id": ["i"] * 9}), path)
    path.write_bytes(path.read_bytes()[:-20])
    return path


def foreign_folder(folder: Path) -> Path:
    (folder / "holiday").mkdir()
    (folder / "holiday" / "beach.jpg").write_bytes(b"\xff\xd8\xff")
    return folder / "holiday"


def empty_folder(folder: Path) -> Path:
    (folder / "void").mkdir()
    return folder / "void"


UNUSABLE = {
    "no such file": (no_such_file, "does not exist"),
    "empty": (text(""), "is empty"),
    "header only": (text(HEADER), "no records"),
    "no item": (text("user_id,price\nu1,2\n"), "item_id"),
    "no times that are any": (text(HEADER + "u1,i1,view,yesterday,1\n" * 3), "cannot be used|none of the 3 rows"),
    "all in the future": (text(HEADER + "u1,i1,view,9999999999,1\n"), "cannot be used|none of the 1 rows"),
    "all negative": (text(HEADER + "u1,i1,view,-5,1\n"), "cannot be used|none of the 1 rows"),
    "unknown kinds": (text(HEADER + ROW.replace("view", "pondered")), "none of the 1 rows"),
    "not UTF-8": (latin_header, "UTF-8"),
    "cut gz": (cut_gz, "cut off|cut-off"),
    "cut Parquet": (cut_parquet, "not a whole Parquet file"),
    "foreign folder": (foreign_folder, "no known format"),
    "empty folder": (empty_folder, "holds no files"),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_check_refuses(what: str, tmp_path: Path, endcap: Callable[..., Said]) -> None:
    make, message = UNUSABLE[what]
    assert re.search(message, refused(endcap("check", make(tmp_path))))


@pytest.mark.parametrize("what", UNUSABLE)
def test_train_refuses(what: str, tmp_path: Path, endcap: Callable[..., Said]) -> None:
    make, message = UNUSABLE[what]
    config = write_config(tmp_path / "config.toml", make(tmp_path))
    assert re.search(message, refused(endcap("train", config, tmp_path / "a")))
    assert not (tmp_path / "a").exists()


def test_unusable_json_is_still_json(tmp_path: Path, endcap: Callable[..., Said]) -> None:
    log = text(HEADER + "u1,i1,view,-5,1\n" * 2)(tmp_path)
    said = endcap("check", log, "--problems", tmp_path / "problems.csv", "--json")
    assert said.code == 2
    assert json.loads(said.out)["usable"] is False
    assert len((tmp_path / "problems.csv").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--map", "item_id=sku"], "sku"),
        (["--map", "colour=kind"], "colour"),
        (["--map", "item_id"], "expected --map name=value"),
        (["--kind", "view="], "expected --kind name=value"),
        (["--format", "xml"], "xml"),
        (["--items", "none.csv"], "none.csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_options_are_said(options: list[str], message: str, tmp_path: Path, endcap: Callable[..., Said]) -> None:
    assert message in refused(endcap("check", write_log(tmp_path / "log.csv"), *options))


# what can be used, with rows left out


def test_rows_that_are_wrong_are_reported_and_the_rest_is_used(tmp_path: Path, endcap: Callable[..., Said]) -> None:
    log = write_log(tmp_path / "log.csv")
    with log.open("ab") as file:
        file.write(b"u1,i1,view,1600000000000,nan\n")  # milliseconds
        file.write(b"u1,i2,view,1600000000000000,inf\n")  # microseconds
        file.write(b"u1,i3,view,2020-09-13T12:26:40+02:00,2\n")
        file.write(b"u1,i4,view,2020-09-13 12:26:40,2\n")
        file.write(b"u1,i5,view,9999999999,2\n")  # the future
        file.write(b"u1,i6,view,-1,2\n")
        file.write(b"u1,caf\xe9,view,1600000000,2\n")  # not UTF-8
        file.write(b"lonely,i7,view,1600000000,2\n")  # a user with one event
        file.write(b"u1,,view,1600000000,2\n")
        file.write(b"u1,i1,pondered,1600000000,2\n")
    said = endcap("check", log, "--problems", tmp_path / "problems.csv", "--json")
    about = json.loads(said.out)
    assert said.code == 0
    assert (about["rows_read"], about["events"]) == (180 + 10 - 1, 180 + 5)
    assert any("mixes units" in note for note in about["notes"])
    problems = {(sort["column"], sort["problem"].split(";")[0]) for sort in about["problem_sorts"]}
    assert problems >= {
        ("price", "not a number"),
        ("price", "infinite"),
        ("time", "time in the future"),
        ("time", "negative time"),
        ("item_id", "not UTF-8"),
        ("item_id", "no item_id"),
        ("kind", "unknown kind"),
    }
    assert about["users_with_one_event"] == 1
    config = write_config(tmp_path / "config.toml", log)
    assert endcap("train", config, tmp_path / "a", "--json").code == 0


@pytest.mark.parametrize("model", ["transitions", "gru"])
def test_strange_ids_go_through_unchanged(model: str, tmp_path: Path, endcap: Callable[..., Said]) -> None:
    log = write_log(tmp_path / "log.csv", ids=STRANGE)
    (tmp_path / "items.csv").write_text("item_id,title\n🛒,[red]Trolley[/red]\n🛒,Twice\nnever bought,Dust\n", "utf-8")
    config = write_config(tmp_path / "config.toml", log, model, "[train]\nepochs = 1\n")
    assert endcap("train", config, tmp_path / "a", "--set", f"data.items={tmp_path / 'items.csv'}").code == 0
    assert set(artifacts.load(tmp_path / "a").vocabulary.ids) == set(STRANGE)
    said = endcap("recommend", tmp_path / "a", "--history", STRANGE[0], "--history", STRANGE[2], "-k", 6, "--json")
    found = {line["id"]: line["title"] for line in json.loads(said.out)["items"]}
    assert set(found) == set(STRANGE) - {STRANGE[0], STRANGE[2]}
    assert found["🛒"] == "[red]Trolley[/red]"
    shown = endcap("recommend", tmp_path / "a", "--history", STRANGE[0])
    assert "[red]Trolley[/red]" in shown.out
    assert "红茶" in shown.out


# train


def test_train_writes_an_artifact_and_json(tmp_path: Path, endcap: Callable[..., Said]) -> None:
    config = write_config(tmp_path / "config.toml", write_log(tmp_path / "log.csv"), "gru")
    said = endcap("train", config, tmp_path / "deep" / "a", "--set", "train.epochs=2", "--json")
    result = json.loads(said.out)
    assert (result["model"], result["protocol"], result["epochs"]) == ("gru", "strict", result["chosen"]["epoch"])
    assert len(result["history"]) == 2
    assert artifacts.load(tmp_path / "deep" / "a").config.train.epochs == 2
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a"]  # no checkpoint is left behind


@pytest.mark.parametrize(
    ("more", "settings", "message"),
    [
        ("[train]\nepochz = 3\n", [], "unknown key train.epochz"),
        ("", ["train.epochz=3"], "unknown key train.epochz"),
        ("", ["data.goal=love"], "data.goal"),
        ("", ["data.goal=review"], "found no review: all"),
        ("[", [], "is no TOML"),
    ],
)
def test_train_refuses_a_wrong_config(
    more: str, settings: list[str], message: str, tmp_path: Path, endcap: Callable[..., Said]
) -> None:
    config = write_config(tmp_path / "config.toml", write_log(tmp_path / "log.csv"), more=more)
    options = [option for setting in settings for option in ("--set", setting)]
    assert message in refused(endcap("train", config, tmp_path / "a", *options))


def test_train_does_not_replace_what_is_no_artifact(tmp_path: Path, endcap: Callable[..., Said]) -> None:
    config = write_config(tmp_path / "config.toml", write_log(tmp_path / "log.csv"))
    assert "found other things" in refused(endcap("train", config, tmp_path))


def test_resume_wants_the_same_config(tmp_path: Path, endcap: Callable[..., Said]) -> None:
    config = write_config(tmp_path / "config.toml", write_log(tmp_path / "log.csv"))
    (tmp_path / "a.checkpoint").mkdir()
    (tmp_path / "a.checkpoint" / "of").write_text("another")
    assert "another config" in refused(endcap("train", config, tmp_path / "a", "--resume"))


def test_without_times_a_temporal_split_names_leave_one_out(tmp_path: Path, endcap: Callable[..., Said]) -> None:
    log = text("\n".join(f"u{user} 1 2 3 4 {user % 4 + 5}" for user in range(20)), "log.txt")(tmp_path)
    config = write_config(tmp_path / "config.toml", log)
    assert "--split leave-one-out" in refused(endcap("train", config, tmp_path / "a"))
    assert endcap("train", config, tmp_path / "a", "--set", "split.method=leave-one-out").code == 0


# evaluate


def test_evaluate_says_what_training_said(trained: Path, endcap: Callable[..., Said]) -> None:
    about = json.loads((trained / "a" / "artifact.json").read_text())
    found = json.loads(endcap("evaluate", trained / "a", "--json").out)
    assert found["metrics"]["ndcg@10"] == about["facts"]["metrics"]["ndcg@10"]
    assert found["questions"] > 0
    assert "ndcg@10" in endcap("evaluate", trained / "a").out


def test_evaluate_on_new_data_asks_only_after_training(
    trained: Path, tmp_path: Path, endcap: Callable[..., Said]
) -> None:
    first = trained / "log.csv"
    found = json.loads(endcap("evaluate", trained / "a", first, "--json").out)
    held_out = json.loads(endcap("evaluate", trained / "a", "--json").out)
    assert found["questions"] == held_out["questions"]  # the same log again: the same cut
    old = tmp_path / "old.csv"
    old.write_text(
        "\n".join(line for line in first.read_text().splitlines() if "," in line and "1,5" not in line)[:900]
    )
    assert "found no question" in refused(endcap("evaluate", trained / "a", old))


def test_evaluate_refuses_data_that_moved_or_changed(tmp_path: Path, endcap: Callable[..., Said]) -> None:
    log = write_log(tmp_path / "log.csv")
    endcap("train", write_config(tmp_path / "config.toml", log), tmp_path / "a")
    with log.open("a") as file:
        file.write("u1,i1,view,1600000000,3\n")
    assert "has changed" in refused(endcap("evaluate", tmp_path / "a"))
    log.rename(tmp_path / "moved.csv")
    assert "is not there" in refused(endcap("evaluate", tmp_path / "a"))
    assert endcap("evaluate", tmp_path / "a", tmp_path / "moved.csv").code == 0


# recommend


def test_recommend_for_a_history_and_for_a_user(trained: Path, endcap: Callable[..., Said]) -> None:
    said = json.loads(endcap("recommend", trained / "a", "--history", "i1", "--history", "i2", "-k", 3, "--json").out)
    assert said["model"] == "transitions"
    assert said["items"][0]["id"] == "i3"  # the next on the circle
    assert len(said["items"]) == 3
    user = json.loads(endcap("recommend", trained / "a", "--user", "u0", "--events", trained / "log.csv", "--json").out)
    assert {line["id"] for line in user["items"]} == {"i6", "i7"}  # had i0 to i5
    assert "i3" in endcap("recommend", trained / "a", "--history", "i2").out


def test_unknown_items_are_named_and_a_newcomer_is_served(trained: Path, endcap: Callable[..., Said]) -> None:
    said = endcap("recommend", trained / "a", "--history", "caviar", "--json")
    assert json.loads(said.out)["unknown"] == ["caviar"]
    assert "caviar" in said.err
    assert len(json.loads(endcap("recommend", trained / "a", "-k", 8, "--json").out)["items"]) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-k", "0"], "expected 1 to 8"),
        (["--user", "nobody", "--events", "log.csv"], "found no user 'nobody'"),
        (["--user", "u1"], "--events LOG"),
        (["--events", "log.csv"], "--user ID"),
        (["--history", "i1", "--goal", "review"], "view, purchase only"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_recommend_refuses(
    options: list[str], message: str, trained: Path, monkeypatch: pytest.MonkeyPatch, endcap: Callable[..., Said]
) -> None:
    monkeypatch.chdir(trained)
    assert message in refused(endcap("recommend", trained / "a", *options))


def test_more_items_than_there_are_are_all_of_them(trained: Path, endcap: Callable[..., Said]) -> None:
    said = endcap("recommend", trained / "a", "-k", "9", "--json")
    assert (said.code, len(json.loads(said.out)["items"])) == (0, 8)
    assert "asked for 9; the model knows 8 items, so all of them are here" in said.err
    assert "asked for" not in endcap("recommend", trained / "a").err


def test_a_damaged_artifact_is_said(trained: Path, tmp_path: Path, endcap: Callable[..., Said]) -> None:
    for path in (trained / "a").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-50])
    for command in ("recommend", "evaluate"):
        assert "damaged" in refused(endcap(command, tmp_path))
    assert "is no artifact" in refused(endcap("recommend", tmp_path / "none"))


# a full disk


def with_small_files(*arguments: object, size: int) -> subprocess.CompletedProcess[str]:
    """A command that cannot write files larger than `size`, as if the disk were full."""
    return subprocess.run(
        [sys.executable, "-m", "endcap", *(str(argument) for argument in arguments)],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("model", "size"), [("popular", 500), ("gru", 20_000)], ids=["artifact", "checkpoint"])
def test_train_on_a_full_disk_leaves_the_artifact_whole(model: str, size: int, tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.csv")
    config = write_config(tmp_path / "config.toml", log, model, "[train]\nepochs = 1\n")
    with pytest.raises(SystemExit):
        cli.main(["train", str(config), str(tmp_path / "a")])
    before = contents(tmp_path / "a")
    ended = with_small_files("train", config, tmp_path / "a", size=size)
    message = refused(Said(ended.returncode, ended.stdout, ended.stderr))
    assert "cannot write" in message
    assert "too large" in message
    assert contents(tmp_path / "a") == before
    artifacts.load(tmp_path / "a")


@pytest.mark.parametrize("size", [1_500, 6_000], ids=["data", "report"])
def test_compare_on_a_full_disk_leaves_the_artifacts_whole(size: int, tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.csv")
    arguments: list[Any] = ["compare", log, "--out", tmp_path / "run", "--models", "popular"]
    with pytest.raises(SystemExit):
        cli.main([str(argument) for argument in arguments])
    before = contents(tmp_path / "run" / "models")
    write_log(log, n_users=31)  # other data: all is to be done anew
    ended = with_small_files(*arguments, size=size)
    message = refused(Said(ended.returncode, ended.stdout, ended.stderr))
    assert "cannot write" in message
    assert ("events.parquet" in message or "data" in message) == (size == 1_500)
    if size == 1_500:
        assert contents(tmp_path / "run" / "models") == before
    artifacts.load(tmp_path / "run" / "models" / "popular")
