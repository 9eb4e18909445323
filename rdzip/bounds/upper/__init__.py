"""Upper bounds on the rate-distortion function."""
