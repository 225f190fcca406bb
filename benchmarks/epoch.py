"""One training epoch and one full-ranking evaluation on Amazon Beauty: ours, RecBole's, RecTools', one after another.

    .venv/bin/python benchmarks/epoch.py                # everything, about 20 minutes on two quiet cores
    .venv/bin/python benchmarks/epoch.py --share .05    # a twentieth of the peers' epochs, scaled up: a few minutes

Each runs in a process of its own, so that memory is its own too; the peers in venvs that are built first where missing.
The network is the same in kind: 64 wide, 2 layers, at most 50 items, full softmax, in the mixed precision that each
has (bfloat16), with which all are faster here; ours once more with the sampled negatives that larger catalogues are
trained with, and once in single precision. Measure on a quiet machine: two programs of two threads on two cores run at
a fraction of their speed. A small share gives the peers' memory too low: their peak grows for some time.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peers.install import installed
from peers.measurement import BEAUTY

HERE = Path(__file__).resolve().parent
OURS = "ours"
MODELS = {OURS: "transformer", "sampled": "transformer-sampled", "float32": "transformer-float32"}
RUNS = (*MODELS, "recbole", "rectools")


@dataclass(frozen=True)
class Column:
    """A column of the table; where `ratio`, the measurement is also given as a multiple of ours."""

    title: str
    key: str
    form: str
    ratio: bool = False


COLUMNS = (
    Column("batch", "batch_size", ",d"),
    Column("targets", "targets", ",d"),
    Column("s an epoch", "epoch_seconds", ",.1f", ratio=True),
    Column("share of it run", "share", ".3g"),
    Column("peak MB, training", "peak_rss_mb", ",.0f", ratio=True),
    Column("s to evaluate", "evaluate_seconds", ",.1f", ratio=True),
)


MASKED = {True: "yes", False: "no", None: "–"}


def command(name: str, share: float) -> list[str]:
    if name in MODELS:
        return [sys.executable, str(HERE / "ours_epoch.py"), "--model", MODELS[name]]
    return [str(installed(name)), str(HERE / "peers" / f"{name}_sasrec.py"), "--share", str(share)]


def run(arguments: list[str], data: Path, threads: int) -> dict[str, Any]:
    """The program's measurement; its last line of stdout. Ends this program where the other failed."""
    arguments = [*arguments, "--data", str(data), "--threads", str(threads)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(arguments, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{Path(arguments[1]).name} failed with exit code {done.returncode}; what it said is above")
    return json.loads(done.stdout.splitlines()[-1])


def machine(threads: int) -> dict[str, Any]:
    """What the figures depend on; `load` is of the minute before, near 0 on a quiet machine."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    name = models[0].partition(":")[2].strip() if models else platform.processor()
    load = round(os.getloadavg()[0], 2)
    return {"cpu": name, "cores": len(os.sched_getaffinity(0)), "threads": threads, "load": load}


def cell(column: Column, measured: dict[str, Any], ours: dict[str, Any] | None) -> str:
    value = measured.get(column.key)
    if value is None:
        return "–"
    text = format(value, column.form)
    if not column.ratio or ours is None or measured is ours or not ours.get(column.key):
        return text
    return f"{text} ({value / ours[column.key]:.1f}×)"


def table(measurements: dict[str, dict[str, Any]]) -> str:
    """Markdown; multiples of ours in brackets."""
    titles = ["", *(column.title for column in COLUMNS), "seen items masked"]
    lines = [titles, ["---"] * len(titles)]
    for measured in measurements.values():
        cells = [cell(column, measured, measurements.get(OURS)) for column in COLUMNS]
        name = f"{measured['peer']} {measured['version']}, {measured['model']}"
        lines.append([name, *cells, MASKED[measured.get("seen_masked")]])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=BEAUTY)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0, help="of the peers' epochs that is run")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=RUNS, help="run only these")
    parser.add_argument("--out", type=Path, default=HERE / "out" / "epoch.json")
    given = parser.parse_args()

    commands = {name: command(name, given.share) for name in given.only}  # installs first, so that it disturbs nothing
    state = machine(given.threads)
    if state["load"] > 0.5:
        print(f"the load of this machine was {state['load']} in the last minute; expected near 0", file=sys.stderr)
    measurements: dict[str, dict[str, Any]] = {}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    for name, arguments in commands.items():
        print(f"{name} …", file=sys.stderr)
        measurements[name] = run(arguments, given.data.resolve(), given.threads)
        # Written after each, so that a long run that fails leaves what it had.
        text = json.dumps({"machine": state, "measurements": measurements}, indent=2)
        given.out.write_text(text + "\n", encoding="utf-8")
    print(f"{state['cpu']}, {state['threads']} threads on {state['cores']} cores, load before: {state['load']}\n")
    print(table(measurements))


if __name__ == "__main__":
    main()
