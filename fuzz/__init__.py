"""Fuzzing of everything that reads bytes which rdzip did not write: see README.md."""
