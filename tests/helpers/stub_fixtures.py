"""Fixtures of stubs: models with latents and a lossy one, for tests of batches and of the pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import latent_stub, lossy_stub


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Chains are those of the stub."""
    with latent_stub.installed(monkeypatch):
        yield


@pytest.fixture
def grey(tmp_path: Path) -> str:
    return str(latent_stub.write(tmp_path / "grey.safetensors", [6, 7]))


@pytest.fixture
def colour(tmp_path: Path) -> str:
    return str(latent_stub.write(tmp_path / "colour.safetensors", [None, None, 3], codecs=("bit-swap", "bb-ans")))


@pytest.fixture
def binary(tmp_path: Path) -> str:
    return str(latent_stub.write(tmp_path / "binary.safetensors", [6, 7], values=2))


@pytest.fixture
def rolls(tmp_path: Path) -> str:
    return str(latent_stub.write(tmp_path / "rolls.safetensors", [5], values=2, codecs=("bb-smc", "bb-ans")))


@pytest.fixture
def lossy(tmp_path: Path) -> Iterator[str]:
    """The file of the lossy stub, which can be loaded."""
    with lossy_stub.registered():
        yield str(lossy_stub.write(tmp_path / "lossy.safetensors"))
