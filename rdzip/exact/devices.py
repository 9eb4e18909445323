"""Devices to compute on, and the setting in which they compute exactly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from rdzip.errors import InputError


def usable_device(name: str) -> torch.device:
    """The torch device of a name such as "cpu" or "cuda:1"; InputError if it cannot be used on this machine."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f"`device`: expected one that works here, found {name!r}: {str(error).splitlines()[0]}"
        ) from error
    return device


@contextmanager
def exact_inference() -> Iterator[None]:
    """Within the context, torch keeps no gradients and takes products in the precision that was asked for."""
    with torch.inference_mode(), torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
        yield


@contextmanager
def threads(most: int | None) -> Iterator[int]:
    """Within the context, torch works with at most that many threads (None: as it did); gives how many it had."""
    before = torch.get_num_threads()
    torch.set_num_threads(min(most or before, before))
    try:
        yield before
    finally:
        torch.set_num_threads(before)
