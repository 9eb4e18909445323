"""The lossy codec: quantised latents of transform coding."""
