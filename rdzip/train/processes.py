"""Processes that train together: those of `torchrun`, or this one alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from rdzip.exact.devices import usable_device
from rdzip.models.shared.shared_random import Shared


@dataclass(frozen=True)
class Group:
    """This process, number ``rank`` of ``world`` that share each batch, and the device that it computes on."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes files and speaks."""
        return self.rank == 0

    def generator(self, seed: int) -> Shared:
        """The generator of batches, the same in all processes but for which rows of a batch each keeps."""
        generator = Shared()
        generator.manual_seed(seed)
        generator.rank, generator.world = self.rank, self.world
        return generator

    def shared(self, module: nn.Module) -> nn.Module:
        """The module with its gradients averaged over all processes (DistributedDataParallel)."""
        if self.world == 1:
            return module
        ids = None if self.device.type == "cpu" else [self.device]
        parallel = nn.parallel.DistributedDataParallel
        # Tables, the same everywhere; gloo does not send their 16 bits.
        tables = [name for name, _ in module.named_buffers()]
        parallel._set_params_and_buffers_to_ignore_for_model(module, tables)
        # Not every step uses every parameter: the grey network sees some batches only.
        return parallel(module, device_ids=ids, find_unused_parameters=True)

    def mean(self, value: float) -> float:
        """The mean of a number over all processes."""
        if self.world == 1:
            return value
        total = torch.tensor([value], dtype=torch.float64, device=self.device if self.device.type != "mps" else "cpu")
        torch.distributed.all_reduce(total)
        return float(total) / self.world

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Within the context the first process works alone; the others wait for it, then do the same."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.world > 1:
            torch.distributed.barrier()


@contextmanager
def group(device: str) -> Iterator[Group]:
    """The processes that `torchrun` started, as its environment names them; without it this process alone.

    device: "cuda" takes each process's own one. Raises InputError for a device that does not work.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1 or "RANK" not in os.environ:
        yield Group(0, 1, usable_device(device))
        return
    if device == "cuda":
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    where = usable_device(device)
    if where.type == "cuda":
        torch.cuda.set_device(where)
    torch.distributed.init_process_group("nccl" if where.type == "cuda" else "gloo")
    try:
        yield Group(int(os.environ["RANK"]), world, where)
    finally:
        torch.distributed.destroy_process_group()
