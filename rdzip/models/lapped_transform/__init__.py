"""Lossy model: a lapped transform and networks that predict its coefficients."""
