"""Training: recipes (TOML), data, and the one loop behind every network of the project."""
