"""What is on disk: the .rdz container, images with their metadata, archives, the Pillow plugin."""
