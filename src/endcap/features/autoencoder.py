"""One code per product out of all its modalities, whichever it has: a denoising autoencoder."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from endcap.data.errors import InputError
from endcap.data.vocabulary import Ints
from endcap.features.base import Block
from endcap.features.denoiser import AutoencoderConfig, AutoencoderEpoch, Denoiser, encoded, reconstructed, train
from endcap.features.standard import Modality, Rows, Standard, check

Hidden = Callable[[str, str], bool]
"""(modality, name of the number) -> whether to hide it: to ask what the rest of the product says about it."""


@dataclass(frozen=True)
class FeatureError:
    """How badly one number is given back."""

    modality: str
    name: str
    error: float  # share of its variance that is lost; 1 is what the mean alone would do


class Autoencoder:
    """Fitted on some items, it encodes any, also with fewer modalities.

    Modalities are the names of the blocks it was fitted on; a block that is left out later is absent from every item.
    """

    def __init__(self, config: AutoencoderConfig | None = None) -> None:
        self.config = config or AutoencoderConfig()

    def fit(
        self,
        blocks: Mapping[str, Block],
        known: Ints,
        on_epoch: Callable[[AutoencoderEpoch], None] = lambda epoch: None,
    ) -> Self:
        """Learns from the items `known` (indices from 1) alone; InputError where nothing differs among them."""
        modalities = tuple(Modality(name, block.names) for name, block in blocks.items())
        items = check(blocks, modalities)
        if not len(known) or known.min() < 1 or known.max() >= items:
            raise InputError(f"found {len(known):,} items to learn from, out of {items - 1:,} with features; "
                             "expected at least one, by their index from 1")  # fmt: skip
        standard = Standard(modalities)
        standard.observe(blocks, known, self.config.scale)
        if not standard.weight.any():
            raise InputError(f"found nothing that differs between {len(known):,} items in {', '.join(blocks)}; "
                             "expected features that vary, such as titles or categories")  # fmt: skip
        rows = standard.rows(blocks).take(torch.from_numpy(known))
        rows = rows.take(rows.present.any(1))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)
            model = Denoiser(standard.width, len(modalities), self.config)
        train(model, standard, rows, self.config, on_epoch)
        self._standard, self._model = standard, model.eval()
        return self

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """Those it was fitted on."""
        return self._standard.modalities

    def code(self, blocks: Mapping[str, Block], *, hidden: Hidden | None = None) -> Block:
        """(items + 1, code) of length 1; zeros where an item has none of the modalities."""
        rows = self._rows(blocks, hidden)
        has = rows.present.any(1)
        codes = torch.where(has[:, None], self._model.place(encoded(self._model, rows)), 0)
        names = tuple(f"code {number}" for number in range(1, self.config.code + 1))
        return Block(codes.numpy(), has.numpy(), names)

    def reconstruct(
        self, blocks: Mapping[str, Block], *, hidden: Hidden | None = None
    ) -> dict[str, NDArray[np.float32]]:
        """Modality -> (items + 1, dim) in the units of its block; what an item lacks is filled in from what it has."""
        rows = self._rows(blocks, hidden)
        return self._standard.blocks(reconstructed(self._model, self._standard, rows))

    def item_errors(self, blocks: Mapping[str, Block]) -> dict[str, NDArray[np.float32]]:
        """Modality -> (items + 1,) mean square of its standardised numbers' errors; NaN where the item has none."""
        rows = self._rows(blocks, None)
        squares = (reconstructed(self._model, self._standard, rows) - rows.values).square()
        found = {}
        for number, (name, place) in enumerate(self._standard.places().items()):
            weight = self._standard.weight[place]
            mean = squares[:, place] @ (weight / weight.sum().clamp(min=1e-12))
            found[name] = torch.where(rows.present[:, number], mean, torch.nan).numpy()
        return found

    def hidden_errors(self, blocks: Mapping[str, Block], hidden: Hidden) -> NDArray[np.float32]:
        """(items + 1,) how badly the hidden numbers are told from the others: mean squares; NaN where it has none."""
        rows = self._rows(blocks, None)
        squares = (reconstructed(self._model, self._standard, self._rows(blocks, hidden)) - rows.values).square()
        asked = torch.tensor([hidden(m.name, name) for m in self.modalities for name in m.numbers])
        has = self._standard.has(rows.present) * (self._standard.weight > 0) * asked
        return ((squares * has).sum(1) / has.sum(1)).numpy()

    def feature_errors(self, blocks: Mapping[str, Block], items: Ints) -> list[FeatureError]:
        """How badly each number is given back, over those of `items` that have it; the worst first, no constants."""
        rows = self._rows(blocks, None).take(torch.from_numpy(items))
        squares = (reconstructed(self._model, self._standard, rows) - rows.values).square()
        has = self._standard.has(rows.present)
        variance = self._standard.spread.square()
        lost = (squares * has).sum(0) / has.sum(0).clamp(min=1) / variance.where(variance > 0, 1)
        told = (has.any(0) & (self._standard.weight > 0)).tolist()
        names = [(modality.name, name) for modality in self.modalities for name in modality.numbers]
        found = [
            FeatureError(*name, value) for name, value, tell in zip(names, lost.tolist(), told, strict=True) if tell
        ]
        return sorted(found, key=lambda each: -each.error)

    def parameters(self) -> dict[str, torch.Tensor]:
        """What was trained, layer by layer."""
        return {name: parameter.detach() for name, parameter in self._model.named_parameters()}

    def save(self, folder: Path) -> None:
        """Writes autoencoder.json (what it is) and autoencoder.safetensors (what it learned)."""
        folder.mkdir(parents=True, exist_ok=True)
        about = {"version": VERSION, "config": asdict(self.config), "modalities": [asdict(m) for m in self.modalities]}
        (folder / "autoencoder.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        safetensors.torch.save_file(self._state(), folder / "autoencoder.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads what `save` wrote; raises InputError where it is missing, damaged or of another version."""
        path = folder / "autoencoder.json"
        try:
            about: Any = json.loads(path.read_text(encoding="utf-8"))
            if about["version"] != VERSION:
                raise InputError(f"{path}: found version {about['version']}; this endcap reads {VERSION}; train again")
            config = TypeAdapter(AutoencoderConfig).validate_python(about["config"])
            modalities = TypeAdapter(tuple[Modality, ...]).validate_python(about["modalities"])
        except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} is missing or damaged: {_reason(error)}; train again") from error
        loaded = cls(config)
        path = folder / "autoencoder.safetensors"
        try:
            loaded._standard = Standard(modalities)
            loaded._model = Denoiser(loaded._standard.width, len(modalities), config).eval()
            loaded._load(safetensors.torch.load_file(path))
        except (OSError, safetensors.SafetensorError, RuntimeError, ValueError) as error:
            raise InputError(
                f"{path} is missing, damaged or of another model: {_reason(error)}; train again"
            ) from error
        return loaded

    def _rows(self, blocks: Mapping[str, Block], hidden: Hidden | None) -> Rows:
        rows = self._standard.rows(blocks)
        if hidden is None:
            return rows
        shown = [not hidden(m.name, name) for m in self.modalities for name in m.numbers]
        return Rows(rows.values * torch.tensor(shown), rows.present)

    def _state(self) -> dict[str, torch.Tensor]:
        parts = {"model": self._model, "standard": self._standard}
        return {f"{part}/{name}": tensor.contiguous() for part, module in parts.items()
                for name, tensor in module.state_dict().items()}  # fmt: skip

    def _load(self, state: Mapping[str, torch.Tensor]) -> None:
        for part, module in {"model": self._model, "standard": self._standard}.items():
            own = {key.partition("/")[2]: tensor for key, tensor in state.items() if key.startswith(f"{part}/")}
            module.load_state_dict(own)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).splitlines()[0]


VERSION = 1
