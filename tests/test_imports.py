"""Imports point one way: the contract is in pyproject.toml."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRACT = (ROOT / "pyproject.toml").read_text().partition("[tool.importlinter]")[1:]


def lint(config: Path, path: list[str]) -> subprocess.CompletedProcess[str]:
    command = (
        "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(sys.argv[1], no_cache=True))"
    )
    return subprocess.run(
        [sys.executable, "-c", command, str(config)],
        capture_output=True,
        text=True,
        cwd=config.parent,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path)},
    )


def test_the_contract_is_kept() -> None:
    ended = lint(ROOT / "pyproject.toml", [str(ROOT / "src"), *sys.path])
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("file", "line"),
    [("ranking.py", "from endcap import training\n"), ("novelty.py", "")],
    ids=["an import upwards", "a module without a place"],
)
def test_the_contract_can_be_broken(tmp_path: Path, file: str, line: str) -> None:
    """A copy of the package's names, with one thing wrong."""
    package = tmp_path / "endcap"
    for path in (ROOT / "src" / "endcap").rglob("*.py"):
        copy = package / path.relative_to(ROOT / "src" / "endcap")
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("")
    (package / file).write_text(line)
    (tmp_path / "pyproject.toml").write_text("".join(CONTRACT))
    ended = lint(tmp_path / "pyproject.toml", [str(tmp_path), *sys.path])
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert file.removesuffix(".py") in ended.stdout
