"""One process or several, started by torchrun.

    torchrun --nproc_per_node 2 -m train --config ...

Each process trains on its share of every batch, and torch's DistributedDataParallel averages the
gradients. Without torchrun everything here is a no-op for one process.
"""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel


def start() -> torch.device:
    """Join the group that torchrun announced, if any; the device of this process."""
    cuda = torch.cuda.is_available()
    local_rank = int(os.environ.get("LOCAL_RANK", 0))
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        dist.init_process_group("nccl" if cuda else "gloo")
    return torch.device("cuda", local_rank) if cuda else torch.device("cpu")


def stop() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def wrap(task: nn.Module) -> nn.Module:
    """A task whose gradients are those of all processes."""
    return DistributedDataParallel(task) if dist.is_initialized() else task


def share(batch: Tensor) -> Tensor:
    """This process's part of a batch of indices. The parts are equal in size.

    A remainder that does not divide is left out of this batch.
    """
    size = len(batch) // world_size()
    return batch[rank() * size : (rank() + 1) * size]


def part(rows: Tensor) -> Tensor:
    """This process's rows of a tensor that is read once, such as a validation set: every n-th."""
    return rows[rank() :: world_size()]


def whole(part: Tensor, n: int, device: torch.device) -> Tensor:
    """The ``n`` rows whose parts, as :func:`part` cuts them, the processes hold."""
    if not dist.is_initialized():
        return part
    rows = torch.zeros((n, *part.shape[1:]), dtype=part.dtype, device=device)
    rows[rank() :: world_size()] = part.to(device)
    dist.all_reduce(rows)
    return rows


def mean(value: float, device: torch.device) -> float:
    """The mean of a number over the processes."""
    if not dist.is_initialized():
        return value
    total = torch.tensor(value, device=device, dtype=torch.float64)
    dist.all_reduce(total)
    return float(total / world_size())


def same_everywhere(module: nn.Module) -> None:
    """Copy the buffers (BatchNorm's running statistics) of process 0 to the others.

    Parameters are equal already; buffers are not, since each process saw its own share.
    """
    if dist.is_initialized():
        for buffer in module.buffers():
            dist.broadcast(buffer, 0)
