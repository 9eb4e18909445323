"""Sources of samples, one kind a file; rdzip.bounds.source opens them by name."""
