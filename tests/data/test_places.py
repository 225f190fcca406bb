"""A folder changes as a whole, whenever it is looked at."""

import threading
from pathlib import Path

from endcap.data.places import replacing


def test_whoever_looks_while_it_changes_finds_one_of_both(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    missing: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            if not (folder / "whole").exists():
                missing.append(1)

    with replacing(folder) as new:
        (new / "whole").touch()
    looker = threading.Thread(target=look)
    looker.start()
    for number in range(300):
        with replacing(folder) as new:
            (new / "whole").write_text(str(number))
    done.set()
    looker.join()
    assert not missing
    assert (folder / "whole").read_text() == "299"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
