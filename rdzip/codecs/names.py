"""Names and numbers of codecs, each defined here once: files hold the numbers, users give the names. No numpy here."""

from __future__ import annotations

from enum import IntEnum


class _Numbered(IntEnum):
    """Numbers as files hold them, with the names that users see."""

    @property
    def label(self) -> str:
        """The name that users see, such as ``bb-ans``."""
        return self.name.lower().replace("_", "-")


class PlaneCodec(_Numbered):
    """Codecs of planes of a picture: the first byte of a section of samples.

    LATENT: one of `LatentCodec`, which the payload names. TRANSFORM: one of `TransformCodec`, by layout.
    """

    CLASSIC = 0
    CAUSAL = 1
    LATENT = 2
    TRANSFORM = 3
    MIXING = 4


class ClassicMethod(_Numbered):
    """Methods of the codec classic: the layout of its payload."""

    RAW = 0
    CONSTANT = 1
    WEBP = 2
    PNG = 3
    PNG_LZMA = 4
    PLANES = 5
    BITS = 6


class LatentCodec(_Numbered):
    """Codecs of models with latents: the first number of their payloads."""

    STOCHASTIC = 0
    BB_ANS = 1
    BIT_SWAP = 2
    BB_IS = 3
    BB_CIS = 4
    BB_AIS = 5
    BB_SMC = 6
    IREC = 7


class TransformCodec(_Numbered):
    """Codecs of lossy models: the layout of their payloads."""

    HYPERPRIOR = 0
    CHANNEL_AR = 1
    IREC_VAE = 2


DCT = "dct"
"""The codec of the coefficients of JPEGs."""
SAFETY_NET = (PlaneCodec.CLASSIC.label, PlaneCodec.CAUSAL.label, PlaneCodec.MIXING.label)
"""Codecs that the library chooses from by itself."""
LATENT_CODECS = tuple(codec.label for codec in LatentCodec)
LOSSY_CODECS = tuple(codec.label for codec in TransformCodec)
IREC_CODECS = (LatentCodec.IREC.label, TransformCodec.IREC_VAE.label)
"""Codecs whose latents are coded by relative entropy coding, without and with loss."""
