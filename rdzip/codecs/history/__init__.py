"""Reversible descriptions of planes: what a picture was before it became pixels."""
