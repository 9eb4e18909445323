"""Hierarchical VAE of images whose latents are coded by relative entropy coding."""
