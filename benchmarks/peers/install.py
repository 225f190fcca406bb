"""One venv per peer under benchmarks/.venvs/, from its requirements file; does nothing where that is done already.

The peers need old versions of numpy and of others, so they never share an environment with this project's own.
"""

import subprocess
import sys
import venv
from pathlib import Path

PEERS = Path(__file__).resolve().parent
VENVS = PEERS.parent / ".venvs"


def names() -> list[str]:
    return sorted(path.stem.removeprefix("requirements-") for path in PEERS.glob("requirements-*.txt"))


def installed(peer: str) -> Path:
    """The Python of the peer's venv, which is built first when missing or made from other requirements."""
    requirements = PEERS / f"requirements-{peer}.txt"
    folder = VENVS / peer
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    wanted = requirements.read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    print(f"{peer}: installing into {folder}", file=sys.stderr)
    venv.create(folder, clear=True, with_pip=True)
    install = [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(requirements)]
    subprocess.run(install, check=True, stdout=sys.stderr)
    stamp.write_text(wanted, encoding="utf-8")
    return python


if __name__ == "__main__":
    for name in names():
        print(f"{name}: {installed(name)}")
