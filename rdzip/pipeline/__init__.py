"""From pictures and items to .rdz files and back: everything that an encoder decides."""
