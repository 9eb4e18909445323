"""VAE of binary images by perceptrons."""
