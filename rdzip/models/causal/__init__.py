"""The causal network of pixels: trained, exact in integers, compiled."""
