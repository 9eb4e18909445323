"""Training data: images, crops, arrays."""
