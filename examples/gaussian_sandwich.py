"""R(D) of a Gaussian in two dimensions, in one picture: exact, Blahut-Arimoto, upper and lower bounds from samples.

    python examples/gaussian_sandwich.py [FOLDER] [--quick]

Prints the values L = R + lambda D in nats and writes bound.png, bound.svg and bound.jsonl into the folder
(gaussian-sandwich). The same in a notebook: call `rdzip.bound` and show FOLDER/bound.png.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import rdzip


def main() -> None:
    """Bound, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("gaussian-sandwich"))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    # The default methods suit the source: exact, ba, upper ones and log-u. A second call goes on where one was stopped.
    records = rdzip.bound("gaussian", dim=2, out=arguments.folder, quick=arguments.quick, resume=True)
    for lam in sorted({record["lambda"] for record in records}):
        found = {record["method"]: record for record in records if record["lambda"] == lam}
        values = ", ".join(f"{name} ({r['role']}) {r['value_nats']:.4f}" for name, r in found.items())
        print(f"lambda {lam:g}: {values}")
    print(f"wrote {arguments.folder / 'bound.png'}")


if __name__ == "__main__":
    main()
