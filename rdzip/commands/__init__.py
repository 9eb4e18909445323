"""What the commands of `rdzip` do; rdzip/cli.py declares them."""
