"""Integer layers whose results are identical on every machine (docs/exactness.md)."""
