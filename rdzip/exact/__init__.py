"""Integer layers whose results are identical on every machine (docs/explanation/exactness.md)."""
