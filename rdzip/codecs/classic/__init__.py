"""The codec classic: the best of WebP, PNG, LZMA and simple ways."""
