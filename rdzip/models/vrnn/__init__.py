"""Variational recurrent network of sequences."""
