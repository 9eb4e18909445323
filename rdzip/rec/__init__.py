"""Relative entropy coding: a sample of q as the number of a sample of p that encoder and decoder can both draw."""
