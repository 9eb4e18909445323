"""What touches the machine: files written whole, processes, workers, limits."""
