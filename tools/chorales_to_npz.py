"""Convert the JSON of a set of piano rolls, as that of the JSB chorales, to the .npz that rdzip compresses.

python tools/chorales_to_npz.py CHORALES.json SPLIT OUT.npz

The JSON is {split: [sequence, ...]}; a sequence is a list of steps, a step a list of MIDI notes. The .npz holds data
uint8 [steps of all sequences, 88], 1 where the note 21 + column sounds, and lengths int64 [n], in steps.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from rdzip.train.data.arrays import read_sequences


def main() -> None:
    """Write the .npz named on the command line."""
    source, split, target = sys.argv[1:]
    rolls = read_sequences(Path(source), split)
    np.savez(target, data=np.concatenate(rolls), lengths=np.array([len(roll) for roll in rolls], np.int64))


if __name__ == "__main__":
    main()
