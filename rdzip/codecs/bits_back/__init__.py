"""Codecs of models with latents: bits-back coding and relative entropy coding."""
