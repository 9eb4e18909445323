"""The codec causal: ANS with the causal network's distributions."""
