"""Context mixing of quantised DCT coefficients: what predicts them, and what mixes the predictions."""
