"""Context mixing: predictions of a sample, adaptive probabilities, mixers."""
