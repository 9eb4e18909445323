"""Fuzzing of everything that reads bytes which rdzip did not write: see README.md."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
if str(TESTS) not in sys.path:  # helpers of the tests: tiny models, archives, second decoders
    sys.path.append(str(TESTS))
