"""Where endcap keeps what it can make again."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """$ENDCAP_CACHE, else $XDG_CACHE_HOME/endcap, else ~/.cache/endcap; it need not exist yet."""
    if own := os.environ.get("ENDCAP_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "endcap"
