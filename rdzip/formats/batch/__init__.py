"""Files of many items of one shape: arrays and sequences."""
