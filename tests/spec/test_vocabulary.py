"""Identifiers are the field's terms: words that were once this project's own do not come back."""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "rdzip"
GONE = {
    "ahead": "autoregressive",
    "brisk": "fast",
    "calm": "slow",
    "fan": "head_in",
    "freeze": "integer_tensors, to_integer",
    "frugal": "entropy_weight",
    "glance": "features",
    "lattice": "scan",
    "lean": "fast",
    "lined": "aligned",
    "neural": "model",
    "rival": "alternative",
    "say": "out, send, report",
    "settle": "requantise",
    "settled": "requantised, converged",
    "stamp": "reference",
    "supplied": "initial bits",
    "supply": "initial bits",
    "thorough": "slow",
    "telling": "progress, report",
    "tells": "progress, report",
    "thaw": "integer_network",
    "told": "reported",
    "wanted": "what it is: expected, allowed, formats, ...",
    "ways": "settings, readings",
    "wish": "options",
    "wishes": "options",
}
"""Words, and what stands for them. Keys of recipes and names in model files, which are texts, may keep them."""
GONE_IN_PARTS = {
    "tell": "report; file objects have it elsewhere",
}
"""Words that are gone in these parts of the package only."""
PARTS = ("bounds", "train", "bench", "metrics", "hub", "system", "rec", "entropy", "exact")


def words(source: str) -> set[str]:
    """Words of the identifiers of a source: names split at underscores and where capitals begin."""
    found = set[str]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            spaced = "".join(f" {c}" if c.isupper() else c for c in token.string)
            found |= {token.string.lower(), *token.string.lower().split("_"), *spaced.lower().split()}
    return found


def test_words_of_identifiers() -> None:
    assert {"initial", "bits", "stack"} <= words("class InitialBitsStack: pass")
    assert {"lined", "zeros"} <= words("lined_zeros(1)")
    assert "supply" not in words("'supply'  # supply")


@pytest.mark.parametrize("part", sorted(path.name for path in PACKAGE.iterdir() if path.suffix in ("", ".py")))
def test_no_private_vocabulary(part: str) -> None:
    gone = GONE | (GONE_IN_PARTS if part in PARTS else {})
    place = PACKAGE / part
    for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
        found = words(path.read_text("utf-8")) & set(gone)
        assert not found, f"{path.relative_to(PACKAGE)}: {', '.join(f'{word}: {gone[word]}' for word in sorted(found))}"
