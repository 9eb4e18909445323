"""Bits-back coding of latent-variable models."""
