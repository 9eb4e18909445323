"""Convolutional VAEs of images with several levels of latents: ResNet VAE, Bit-Swap."""
