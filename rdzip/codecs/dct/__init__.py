"""Quantised DCT coefficients of JPEGs, coded by context mixing."""

from rdzip.codecs.dct.codec import decode, encode
from rdzip.codecs.dct.coefficients import Coefficients, Component

__all__ = ["Coefficients", "Component", "decode", "encode"]
