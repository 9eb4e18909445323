"""Fixtures of stubs."""

from helpers.stub_fixtures import binary, colour, grey, lossy, rolls, stubbed

__all__ = ["binary", "colour", "grey", "lossy", "rolls", "stubbed"]
