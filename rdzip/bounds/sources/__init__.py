"""Sources of samples, one kind a file; rdzip.bounds.sources.base opens them by name."""
