"""Requests that cannot be done are refused in one line before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rdzip
from rdzip.bounds import methods
from rdzip.bounds.methods import make_options, method
from rdzip.errors import InputError


@pytest.mark.parametrize("name", methods.METHODS)
def test_numbers_of_options_that_are_none(name: str) -> None:
    usual = make_options(method(name), seed=0, device="cpu", quick=True)
    for key, value in usual.items():
        if isinstance(value, bool) or not isinstance(value, int | float | tuple) or key in ("seed", "quick"):
            continue
        for wrong in ("nan", "inf", "-inf", "-1", "1e99", "(-1,)", "(0,)", "(1e99,)", "x", "[", "1" * 5000):
            with pytest.raises(InputError) as caught:
                make_options(method(name), seed=0, device="cpu", quick=True, overrides={key: wrong})
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "seed of 0 to"),
        ({"seed": 1 << 32}, "seed of 0 to"),
        ({"lambdas": [float("nan")]}, "lambda"),
        ({"lambdas": [-1.0]}, "lambda"),
        ({"lambdas": [1e30]}, "lambda"),
        ({"jobs": 0}, "at least 1 job"),
        ({"methods": ["nonsense"]}, "no such method"),
        ({"dim": 0}, "at least 1 dimension"),
        ({"options": {"mixture": {"samples": "nan"}}}, "mixture.samples: expected a whole number"),
    ],
)
def test_requests_of_the_library(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        rdzip.bound("banana", quick=True, **{"methods": ["mixture"], **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.random.default_rng(0).normal(size=(2, 2)), "at least 8 samples, found 2"),
        (np.ones((50, 2)), "samples that differ"),
        (np.full((50, 2), np.nan), "finite samples"),
        (np.full((50, 2), np.inf), "finite samples"),
        (np.zeros((0, 2)), "at least 2 samples, found 0"),
        (np.zeros((9, 0)), "expected samples"),
        (np.random.default_rng(0).normal(size=(50, 2)) * 1e30, "variance"),
        (np.random.default_rng(0).normal(size=(50, 2)) * 1e-30, "variance"),
        (np.random.default_rng(0).normal(size=(50, 2)) * 1e300, "finite samples"),
        (np.array(5.0), "array of real numbers"),
        (np.ones((50, 2), complex), "array of real numbers"),
        (np.array([["a"]]), "array of real numbers"),
        (np.empty((3, 3), object), "array of numbers"),
    ],
)
def test_samples_that_are_none(samples: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        rdzip.bound(samples, methods=["mixture"], quick=True)
    assert "\n" not in str(caught.value)
