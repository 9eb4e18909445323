"""A band of rows of a picture as it is coded: a window of its samples, and all that has been learnt of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.mixing import fast, slow
from rdzip.codecs.mixing.window import Window
from rdzip.entropy.binary import CODER, start_coder
from rdzip.models.causal.compiled_network import ScalarNet
from rdzip.models.shared.compiled_mixture import PARTS

if TYPE_CHECKING:
    from rdzip.codecs.mixing.presets import Preset
    from rdzip.models.causal.model import CausalModel
    from rdzip.models.causal.numpy_network import ExactNet


class Band:
    """What codes a band of a preset, block of rows by block of rows.

    - model: the network's, with a preset that has one, else None
    - shape: [h, w] or [h, w, 3] of the band
    - data: uint8, what is decoded or filled in
    - decoding: 1 to decode, 0 to encode
    """

    def __init__(
        self, model: CausalModel | None, preset: Preset, shape: tuple[int, ...], data: NDArray[np.uint8], decoding: int
    ) -> None:
        kind = slow if preset.slow else fast
        self.width = shape[1]
        self.window = Window(shape)
        channels, _, stride = self.window.planes.shape
        self.net: ExactNet | None = model.nets["grey" if channels == 1 else "colour"] if model else None
        self.scalar = ScalarNet.of(self.net, model.tables, stride) if model and self.net else ScalarNet.none()
        sigmoid = model.tables.sigmoid if model else np.zeros(0, np.int32)
        self.fits, self.features, self.mixer = kind.states(preset, shape, stride, sigmoid)
        self.code_rows = kind.code_rows
        self.coder = np.zeros(CODER, np.int64)
        self.levels = np.zeros(channels)
        self.mixture = np.zeros(PARTS if self.net else 0, np.int32)
        self.data, self.decoding = data, decoding
        start_coder(self.coder, data, decoding)

    def code(self, y: int, rows: int, mixtures: NDArray[np.int32]) -> None:
        """Code the rows of the window's block, of which the first is row y.

        mixtures int32 [rows, w, channels, PARTS]: the network's; empty to compute them here, or for no network.
        """
        self.code_rows(
            self.fits,
            self.features,
            self.mixer,
            self.scalar,
            self.window.planes.reshape(-1),
            mixtures.reshape(-1),
            self.coder,
            self.data,
            self.levels,
            self.mixture,
            self.width,
            y,
            rows,
            self.decoding,
        )
