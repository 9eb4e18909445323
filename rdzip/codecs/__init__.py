"""How symbols become bits, given a model: one algorithm a file."""
