"""Devices to compute on."""

from __future__ import annotations

import torch

from rdzip.errors import InputError


def usable_device(name: str) -> torch.device:
    """The torch device of a name such as "cpu" or "cuda:1"; InputError if it cannot be used on this machine."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"--device: expected one that works here, found {name!r}: {str(error).splitlines()[0]}"
        ) from error
    return device
