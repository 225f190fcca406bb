"""What a report was made by, so that another can be made: command, configs, versions, machine, the data's hash."""

import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from endcap import config as configuration
from endcap.config import Config
from endcap.data.dataset import Dataset, code_hash

PACKAGES = ("torch", "numpy", "scipy", "duckdb")
"""Whose version may move a figure."""


def made_by(configs: Sequence[Config], dataset: Dataset) -> dict[str, str]:
    """Names and values, each a text; the last ones are the whole TOML of each config."""
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    found = {
        "command": shlex.join(["endcap", *sys.argv[1:]]),
        "versions": ", ".join(
            [
                f"endcap {version('endcap')}",
                f"Python {platform.python_version()}",
                *(f"{p} {version(p)}" for p in PACKAGES),
            ]
        ),
        "commit": _commit() or "not known: the package is installed without its repository",
        "code": f"sha256 {code_hash()[:16]}",
        "data": f"sha256 {_data(dataset)[:16]} of {len(dataset.files)} file{'s' * (len(dataset.files) != 1)} as read",
        "processor": f"{_processor()}, {os.cpu_count()} threads, OMP_NUM_THREADS {threads}",
        "system": platform.platform(),
    }
    return found | {f"{config.model.name}.toml": configuration.dumps(config).strip() for config in configs}


def _commit() -> str | None:
    """Of the repository that the package lies in, where it lies in one."""
    folder = Path(__file__).parent
    if not (folder.parents[1] / ".git").exists():
        return None
    try:
        told = [
            subprocess.run(["git", *asked], cwd=folder, capture_output=True, text=True, check=True, timeout=10).stdout
            for asked in (["rev-parse", "HEAD"], ["status", "--porcelain", "--", "."])
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    return told[0].strip() + (", changed since" if told[1].strip() else "")


def _data(dataset: Dataset) -> str:
    """Of the contents and of how they were read, cleaned and cut; where files lie does not matter."""
    text = json.dumps([sorted(dataset.files.values()), dataset.facts], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
