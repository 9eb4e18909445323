"""Makes the files of the toy models, and says what the best rates of their data are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.ans import TOTAL
from rdzip.models import build, model_file, toy
from rdzip.models.toy import ToyHmm, ToyMixture

MIXTURE_CODECS = ["bb-cis", "bb-is", "bb-ans", "bb-ais", "stochastic"]
HMM_CODECS = ["bb-smc", "bb-ans", "bb-is", "stochastic"]
Int32 = NDArray[np.int32]
Float64 = NDArray[np.float64]


def entropy_of_mixture(mixture: ToyMixture) -> float:
    """Entropy of the data in bits per symbol: the best rate of any codec."""
    p = mixture.probabilities()
    return float(-(p * np.log2(p)).sum())


def evidence_bound(mixture: ToyMixture) -> float:
    """Mean of the negative evidence lower bound, bits per symbol: the rate of bb-ans."""
    joint = mixture.prior[:, None] / TOTAL * mixture.emission / TOTAL
    q = mixture.proposal.T / TOTAL
    return float((mixture.probabilities() * (q * (np.log2(q) - np.log2(joint))).sum(0)).sum())


def entropy_of_hmm(hmm: ToyHmm, steps: int) -> float:
    """Entropy of the data in bits per symbol, exactly, by all sequences of ``steps`` steps: the best mean rate."""
    k = hmm.values()
    every = np.stack(np.unravel_index(np.arange(k**steps), (k,) * steps), 1).astype(np.uint8)
    bits = hmm.bits(every[:, :, None])
    return float((np.exp2(-bits) * bits).sum() / steps)


def _frequencies(p: Float64) -> Int32:
    """Frequencies of 2**24 in proportion to positive numbers [..., m]; the largest takes the remainder."""
    p = p / p.sum(-1, keepdims=True)
    f = 1 + np.floor(p * (TOTAL - p.shape[-1])).astype(np.int64)
    flat = f.reshape(-1, f.shape[-1])
    flat[np.arange(len(flat)), flat.argmax(1)] += TOTAL - flat.sum(1)
    frequencies: Int32 = flat.reshape(f.shape).astype(np.int32)
    return frequencies


def _bumps(m: int, k: int, rng: np.random.Generator) -> Float64:
    """Rows of emission probabilities: peaks of several widths over k symbols, [m, k]."""
    centre = (np.arange(m)[:, None] + 0.5) * (k / m)
    width = rng.uniform(0.5, 2.0, (m, 1)) * (k / m)
    p = np.exp(-np.abs(np.arange(k) - centre) / width) + 1e-3
    normalised: Float64 = p / p.sum(1, keepdims=True)
    return normalised


def make_mixture(m: int = 8, k: int = 64, seed: int = 1) -> dict[str, Int32]:
    """Tables of a toy mixture: the proposal is the square root of the true posterior, normalised."""
    rng = np.random.default_rng(seed)
    prior, emission = rng.dirichlet(np.full(m, 3.0)), _bumps(m, k, rng)
    posterior = (prior[:, None] * emission).T
    return {
        "prior": _frequencies(prior),
        "emission": _frequencies(emission),
        "proposal": _frequencies(np.sqrt(posterior)),
    }


def make_hmm(m: int = 8, k: int = 16, seed: int = 2) -> dict[str, Int32]:
    """Tables of a toy HMM: the proposal is the square root of p(z_t | z_{t-1}) p(x_t | z_t), normalised."""
    rng = np.random.default_rng(seed)
    transition = np.concatenate([rng.dirichlet(np.full(m, 0.5), m), np.full((1, m), 1 / m)]) + 1e-3
    emission = _bumps(m, k, rng)
    joint = transition[:, None, :] * emission.T
    return {
        "transition": _frequencies(transition),
        "emission": _frequencies(emission),
        "proposal": _frequencies(np.sqrt(joint)),
    }


def write_models(folder: Path) -> list[Path]:
    """Write toy-mixture.safetensors and toy-hmm.safetensors into a folder; returns their paths."""
    paths = []
    for name, tables, codecs, sample in (
        ("toy-mixture", make_mixture(), MIXTURE_CODECS, {"kind": "image", "shape": [1, 1]}),
        ("toy-hmm", make_hmm(), HMM_CODECS, {"kind": "sequence", "shape": [None, 1]}),
    ):
        meta = {
            "architecture": name,
            "version": toy.VERSION,
            "id": name,
            "codecs": codecs,
            "sample": {**sample, "values": tables["emission"].shape[1]},
            "licence": "Apache-2.0",
            "known_answer": "0" * 64,
        }
        meta["known_answer"] = build(tables, meta).known_answer()
        paths.append(folder / f"{name}.safetensors")
        model_file.write(paths[-1], tables, meta)
    return paths
