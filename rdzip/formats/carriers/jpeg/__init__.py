"""JPEG: quantised DCT coefficients and the bytes around them (docs/reference/carriers.md)."""
