"""`python -m rdzip`, the same as the command `rdzip`."""

from rdzip.cli import main

if __name__ == "__main__":
    main()
