"""What the docs say is true: commands parse, TOML loads, Python runs, links lead somewhere, nothing is left out."""

import os
import re
import runpy
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import torch
import typer

from endcap import artifact as artifacts
from endcap import config as configuration
from endcap.artifact import Artifact
from endcap.cli import app
from endcap.config import model_names
from endcap.data.batch import ask
from endcap.data.catalog import Catalog
from endcap.data.schema import EVENT_COLUMNS, ITEM_COLUMNS
from endcap.data.sources import CATALOGUES, FORMATS
from endcap.fitting import fit
from endcap.models import Traits
from endcap.results import Result
from endcap.training import Task, TrainConfig
from tests.worlds import circle

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "endcap"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "benchmarks" / "README.md"])
COMMANDS = vars(typer.main.get_command(app))["commands"]
ROWS = ("A1 A2 A3 A4", "B1 B2 B3 B4", "C1 C2 C3 C4", "D1 D2 D3 D4 D5")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def command_lines(page: Path) -> Iterator[str]:
    """Every endcap command of a page, in blocks and within sentences; without comments."""
    for block in blocks(page, "sh"):
        for line in block.splitlines():
            if re.match(r"(\S*/)?endcap ", line):
                yield line
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    yield from (found.strip("`") for found in re.findall(r"`endcap [^`]*`", prose))


ALL_COMMANDS = [(name_of(page), line) for page in PAGES for line in command_lines(page)]


@pytest.mark.parametrize(("page", "line"), ALL_COMMANDS)
def test_every_command_line_parses(page: str, line: str) -> None:
    _, name, *arguments = shlex.split(line, comments=True)
    if name == "COMMAND":
        return
    command = COMMANDS[name]
    if arguments:
        command.make_context(name, arguments)  # raises for unknown options, values and missing arguments


def test_commands_are_found() -> None:
    assert {line.split()[1] for _, line in ALL_COMMANDS} >= {*COMMANDS}


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_readme_has_every_command(page: str) -> None:
    rows = re.findall(r"^\| `endcap (\w+)", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_toml_loads(page: Path) -> None:
    for block in blocks(page, "toml"):
        configuration.check(tomllib.loads(block), name_of(page))


def test_an_average_model_as_the_docs_write_it() -> None:
    (block,) = blocks(ROOT / "docs" / "models.md", "python")
    world: dict = {"__name__": "average"}  # dataclass fields are annotated at run time
    exec(compile(block, "docs/models.md", "exec"), world)
    parts = circle()
    model = world["Average"](world["AverageConfig"](dim=8, dropout=0.0), Traits.of(parts.train)).eval()
    model.observe(parts.train)
    events, offsets = torch.randn(5, 8), torch.tensor([0, 3, 3, 5])
    expected = torch.stack([events[0], events[:2].mean(0), events[:3].mean(0), events[3], events[3:].mean(0)])
    torch.testing.assert_close(model.encoder(events, offsets), expected)
    batch = ask(parts.test.histories, parts.test.goals, parts.test.asked, last=model.history)
    assert model.score(batch).shape == (len(parts.test), parts.train.n_items + 1)


def test_the_python_of_the_quickstart_recommends(tmp_path: Path) -> None:
    (block,) = blocks(ROOT / "docs" / "quickstart.md", "python")
    world: dict = {}
    exec(compile(block, "docs/quickstart.md", "exec"), world)
    train = circle().train
    config = configuration.check({"data": {"events": "x.csv"}, "model": {"name": "transitions"}}, "test")
    fitted = fit(config.model, train, None, TrainConfig(), Task())
    catalog = Catalog.from_table(None, train.vocabulary.ids)
    artifacts.save(Artifact(config, Traits.of(train), train.vocabulary, catalog, fitted.model), tmp_path / "model")
    found = world["next_items"](str(tmp_path / "model"), ["i3", "i4"])
    assert len(found) == 5
    assert found[0] == "i5"


def test_the_python_about_spark_compiles() -> None:
    (block,) = blocks(ROOT / "docs" / "formats.md", "python")
    exec(compile(block, "docs/formats.md", "exec"), {})  # its imports are there; tests/data/test_backend.py runs Spark


def headings(page: Path) -> set[str]:
    """Anchors as they are made of headings: lower case, spaces to dashes, other signs left out."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in headings(target), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_path_of_one_machine(page: Path) -> None:
    assert not re.search(r"(?<![\w.~/])/(home|root|tmp|usr|opt|work|mnt|var)/", page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_scripts_that_are_named_exist(page: Path) -> None:
    for script in re.findall(r"python ((?:benchmarks|docs)/[\w/]+\.py)", page.read_text(encoding="utf-8")):
        assert (ROOT / script).exists(), script


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in PAGES:
        lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
        named = re.findall(r"`make (\w+)`", page.read_text(encoding="utf-8"))
        named += [line.split()[1] for line in lines if line.startswith("make ")]
        assert targets.issuperset(named), name_of(page)


def tree(text: str) -> dict[str, str]:
    """Path -> description of the lines below src/endcap in the readme's tree; two spaces are a level."""
    (block,) = re.findall(r"^```\n(src/endcap/\n.*?)^```$", text, re.MULTILINE | re.DOTALL)
    found: dict[str, str] = {}
    folders: list[str] = []
    for line in block.splitlines()[1:]:
        depth = (len(line) - len(line.lstrip())) // 2
        if depth == 0:  # tests, benchmarks, docs
            break
        name, _, about = line.strip().partition(" ")
        folders = folders[: depth - 1]
        found["".join(folders) + name] = about.strip()
        if name.endswith("/"):
            folders.append(name)
    return found


def test_the_tree_in_the_readme_is_the_tree() -> None:
    shown = tree((ROOT / "README.md").read_text(encoding="utf-8"))
    opened = {"", *(path for path in shown if any(other != path and other.startswith(path) for other in shown))}
    there = set()
    for folder in opened:
        for path in (PACKAGE / folder).iterdir():
            if path.name != "__pycache__" and (path.is_file() or any(path.iterdir())):
                there.add(folder + path.name + "/" * path.is_dir())
    assert set(shown) == there
    assert all(about for path, about in shown.items() if path not in opened)


def concepts() -> list[list[str]]:
    """The cells of every row of the page."""
    lines = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| [A-D]\d ", line)]


def test_concepts_has_every_row_with_its_state() -> None:
    rows = concepts()
    assert [row[0] for row in rows] == " ".join(ROWS).split()
    for number, _, state, module, command in rows:
        assert re.match("done|in part: |not yet", state), number
        if not state.startswith("not yet"):
            assert module != "–", number
            assert command != "–", number


def test_modules_that_concepts_names_exist() -> None:
    named = [name for row in concepts() for name in re.findall(r"`([^`]+)`", row[3])]
    assert named
    for name in named:
        assert (PACKAGE / name).exists(), name


def test_every_format_has_its_section() -> None:
    found = headings(ROOT / "docs" / "formats.md") | {"csv", "tsv"}
    assert "csv-tsv" in found  # one section for both
    assert found.issuperset(form.name for form in (*FORMATS, *CATALOGUES))


def test_formats_names_every_column() -> None:
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    for column in (*EVENT_COLUMNS[1:], *ITEM_COLUMNS):
        assert f"`{column}`" in text, column


def test_the_protocol_names_every_result() -> None:
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8").partition("## results.json")[2]
    assert set(re.findall(r"`(\w+)`", text)) >= {field.name for field in fields(Result)}


def test_every_model_has_its_section() -> None:
    assert headings(ROOT / "docs" / "models.md") >= set(model_names())


def test_configuration_is_what_the_code_says() -> None:
    generator = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == generator["page"](), "run `make docs`"
    silent = [f"{section}.{key}" for section, key, meaning in generator["described"]() if not meaning]
    assert not silent, "each key needs a comment at the end of its line"


def test_the_changelog_has_this_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_ci_can_run() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
