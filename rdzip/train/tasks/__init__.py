"""What a training run must know of each family of models."""
