"""The neural codec as formats see it: find the model, stamp it, code a plane. torch is imported only when a model is
loaded.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rdzip.errors import CoderError, FormatError, ModelError
from rdzip.formats.header import ModelStamp

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from rdzip.codecs.result import Encoded

DEFAULT_MODEL = "photo"
CODER = 5  # constriction 0.5: 100 * major + minor


class Neural:
    """A neural model that is loaded when it is first used.

    name: id, hash or file of the model. seconds: what loading it took. threads: how many torch may use, None for its
    own choice.
    """

    def __init__(
        self, name: str | bytes, *, threads: int | None = None, device: str | None = None, offline: bool = False
    ) -> None:
        self.name, self.threads, self.device, self.offline = name, threads, device, offline
        self.seconds = 0.0
        self._ref: Any = None
        self._model: Any = None

    def find(self) -> bool:
        """Return whether the model's file is at hand (or could be fetched); nothing is loaded."""
        try:
            self._resolve()
        except ModelError:
            return False
        return True

    @property
    def stamp(self) -> ModelStamp:
        """What the header says of the model; ModelError if it cannot be found."""
        ref = self._resolve()
        return ModelStamp(ref.id, bytes.fromhex(ref.sha256)[:8], CODER)

    def encode(self, pixels: NDArray[Any], progress: Callable[[float], None] | None = None) -> Encoded:
        """Return the payload of uint8 pixels [h, w] or [h, w, 3]; ModelError if the model cannot be had."""
        from rdzip.codecs import causal

        model = self._load()
        result: Encoded = causal.encode(model, pixels, progress=progress)
        return result

    def decode(
        self, payload: bytes, shape: tuple[int, ...], layout: int, progress: Callable[[float], None] | None = None
    ) -> NDArray[Any]:
        """Return the pixels; CoderError for a corrupt payload, ModelError if the model cannot be had."""
        from rdzip.codecs import causal

        model = self._load()
        pixels: NDArray[Any] = causal.decode(model, payload, shape, layout, progress=progress)
        if tuple(pixels.shape) != shape:
            raise CoderError(f"the payload holds {list(pixels.shape)}, expected {list(shape)}: the file is corrupt")
        return pixels

    def _resolve(self) -> Any:
        from rdzip import hub

        if self._ref is None:
            self._ref = hub.resolve(self.name, offline=self.offline)
        return self._ref

    def _load(self) -> Any:
        if self._model is None:
            from rdzip import hub

            start = time.perf_counter()
            ref = self._resolve()
            if self.threads is not None:
                import torch

                torch.set_num_threads(self.threads)
            self._model = hub.load(ref, offline=self.offline)
            self._model.to(self.device or "cpu")
            self.seconds = time.perf_counter() - start
        return self._model


def check_coder(stamp: ModelStamp) -> None:
    """Raise FormatError unless this rdzip's entropy coder reads what the stamp names."""
    if stamp.coder != CODER:
        raise FormatError(
            f"the file needs entropy coder version {stamp.coder // 100}.{stamp.coder % 100}, this rdzip has "
            f"{CODER // 100}.{CODER % 100}: use another version of rdzip"
        )
