"""What is asked of a compression, and what it runs on: two objects that go from the command line down to the codec."""

from __future__ import annotations

from dataclasses import dataclass

from rdzip.pipeline.codec_options import NO_OPTIONS, CodecOptions
from rdzip.pipeline.loss import NO_LOSS, Loss


@dataclass(frozen=True)
class Request:
    """How to code a picture or a batch; None is the library's choice.

    model: id, hash or file of the neural model; None is what suits the effort, and then no network where that cannot be
        found, or with a loss by a model "photo-lossy".
    codec: "causal", "classic" or "mixing" to have no other, None to have the smaller; with a model of latents or a
        lossy one one of its codecs, None for its default.
    loss: what may be lost; by a lossy model, or with an error that is allowed of each sample by lossless codecs.
    effort: of coding without loss, 1 (fast) to 9 (small), None for 6.
    options: of a codec of latents.
    segment: items of a batch that are coded together, None for all.
    metadata: "all", or "none", which keeps what is a part of the picture.
    verify: decode what was written and compare.
    pixels: keep the picture of a file only, not the bytes around it.
    """

    model: str | None = None
    codec: str | None = None
    loss: Loss = NO_LOSS
    effort: int | None = None
    options: CodecOptions = NO_OPTIONS
    segment: int | None = None
    metadata: str = "all"
    verify: bool = True
    pixels: bool = False


@dataclass(frozen=True)
class Compute:
    """Where and within which limits to compute; results do not depend on it.

    threads: that codecs and torch use, None for their own choice.
    device: of torch, None for the processor.
    offline: fetch no model.
    max_pixels: refuse to decode more, None for rdzip.system.limits.MAX_PIXELS.
    """

    threads: int | None = None
    device: str | None = None
    offline: bool = False
    max_pixels: int | None = None


DEFAULT_REQUEST, DEFAULT_COMPUTE = Request(), Compute()
