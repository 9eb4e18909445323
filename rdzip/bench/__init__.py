"""Benchmarks: the same images through rdzip and through other codecs; rate-distortion curves and BD-rates."""
