"""Entropy coding: the ANS stack, integer distributions, and the counter-based random generator."""
