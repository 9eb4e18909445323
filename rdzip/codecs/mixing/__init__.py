"""The codec mixing: binary arithmetic coding by context mixing."""
