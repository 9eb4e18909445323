"""Bounds on the rate-distortion function of a source, from samples: one method a file, sources in sources/."""
