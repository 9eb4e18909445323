"""Lower bounds on the rate-distortion function."""
