"""Image files as pictures, and back."""
