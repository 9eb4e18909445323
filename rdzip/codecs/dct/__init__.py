"""Quantised DCT coefficients of JPEGs, coded by context mixing."""
