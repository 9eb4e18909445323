"""File formats as pictures and the bytes around them."""
