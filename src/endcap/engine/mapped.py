"""What is made from an artifact when it is first served, kept beside it, and mapped by all processes that serve it."""

import logging
import tempfile
from collections.abc import Callable
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

log = logging.getLogger(__name__)

Tensors = dict[str, Tensor]


def mapped(file: Path | None, make: Callable[[], Tensors]) -> Tensors:
    """The tensors of a file, whose pages processes share; made and written where it is missing or damaged.

    Where it cannot be written, or is None, they are this process's own.
    """
    if file is None:
        return make()
    try:
        return safetensors.torch.load_file(file)
    except (OSError, safetensors.SafetensorError):
        pass  # not there yet
    made = make()
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}-", delete=False) as new:
            temporary = Path(new.name)
        try:
            safetensors.torch.save_file(made, temporary)
            temporary.chmod(0o644)
            temporary.replace(file)
        finally:
            temporary.unlink(missing_ok=True)
        return safetensors.torch.load_file(file)
    except (OSError, safetensors.SafetensorError) as error:
        log.warning("%s cannot be kept, so that each worker has its own: %s", file, error)
        return made
