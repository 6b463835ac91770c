"""Where a game runs: device, precision, micro-batches and ranks.

Distribution is plain `torch.distributed` under torchrun, on unwrapped modules: one broadcast at
the start, then one flat average of the moving player's gradients per turn. Wrappers such as DDP
fail, or are silently wrong, for penalties that are computed in a turn of their own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Literal, Protocol, TypeVar, runtime_checkable

import torch
import torch.distributed as dist
from torch import Tensor, nn

from zerosum.data.fields import size_of
from zerosum.errors import UserError

Precision = Literal["fp32", "bf16"]
AskedPrecision = Literal["fp32", "bf16", "auto"]
T = TypeVar("T")


def find_device(name: str = "auto") -> torch.device:
    """The device of a name such as `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.

    `auto` is CUDA where there is one, else the CPU: MPS lacks the penalties' double backward.

    Raises:
        UserError: The device is not there.
    """
    local = int(os.environ.get("LOCAL_RANK", "0"))
    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = ["cpu", *(f"cuda:{i}" for i in range(cuda))]
    if torch.backends.mps.is_available():
        there.append("mps")
    if name == "auto":
        name = f"cuda:{local % cuda}" if cuda else "cpu"
    elif name == "cuda":
        name = f"cuda:{local}"
    if name not in there:
        raise UserError(f"device '{name}' is not there: this machine offers {', '.join(there)}")
    return torch.device(name)


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions that multiply in bfloat16, faster than in float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    found = getattr(torch.cpu, "get_capabilities", dict)()  # old releases of torch lack it
    return bool(found.get("amx_bf16") or found.get("avx512_bf16"))


@contextmanager
def uncompiled() -> Iterator[None]:
    """Within it compiled networks run uncompiled: for odd batch sizes and double backward."""
    if "torch._dynamo" not in sys.modules:  # nothing is compiled, and importing dynamo takes long
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


@contextmanager
def without_denormals() -> Iterator[None]:
    """Within it numbers below 1e-38 count as 0 on a CPU.

    Weights that decay, and moments of gradients that vanish, come to lie there, and arithmetic
    takes several times as long: late steps of `medgan` six times, measured.
    """
    before = not bool(torch.tensor(1e-40).mul(1.0))
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


@runtime_checkable
class AveragesBuffers(Protocol):
    """A module with running statistics: ranks share them, averaged weights have averaged ones."""

    averaged_buffers: tuple[str, ...]


def running_buffers(module: nn.Module) -> dict[str, Tensor]:
    """Buffers that are running statistics of what a network saw, by their names in it."""
    found = {}
    for place, part in module.named_modules():
        own = dict(part.named_buffers(recurse=False))
        if isinstance(part, nn.modules.batchnorm._NormBase):
            names: tuple[str, ...] = ("running_mean", "running_var")
        else:
            names = part.averaged_buffers if isinstance(part, AveragesBuffers) else ()
        found |= {f"{place}.{name}".lstrip("."): own[name] for name in names if name in own}
    return found


@dataclass
class Runtime:
    """Device, precision, micro-batch size and this process's place among the ranks.

    Attributes:
        device: Where the game lives.
        precision: `bf16` runs the losses under autocast; penalties stay in float32.
        micro: Samples per micro-batch, None for the whole batch at once.
        rank: This process's number.
        world: Number of processes.
    """

    device: torch.device
    precision: Precision = "fp32"
    micro: int | None = None
    rank: int = 0
    world: int = 1

    @classmethod
    def start(
        cls,
        device: str = "auto",
        precision: AskedPrecision = "fp32",
        micro: int | None = None,
        safe: bool = False,
    ) -> Runtime:
        """Find the device and, under torchrun, join the other ranks.

        Args:
            device: As `find_device` has it.
            precision: `auto` is bf16 for a game that is safe with it, where the device has it.
            micro: Samples per micro-batch, None for the whole batch at once.
            safe: Whether the game is.
        """
        where = find_device(device)
        if precision == "auto":
            precision = "bf16" if safe and has_bfloat16(where) else "fp32"
        if where.type == "cuda":  # batches keep their shape: the fastest convolution is found once
            torch.backends.cudnn.benchmark = True
        rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        if world > 1 and not dist.is_initialized():
            backend = "nccl" if where.type == "cuda" else "gloo"
            if where.type == "cuda":
                torch.cuda.set_device(where)
            # Its functions have the group as a default, and torch imports it late, with the
            # compiler: the group's threads would then live on and could abort the exit.
            import_module("torch.distributed.nn")

            try:
                dist.init_process_group(backend, timeout=timedelta(minutes=30))
            except RuntimeError as error:
                if "EADDRINUSE" not in str(error) and "already in use" not in str(error):
                    raise
                port = os.environ.get("MASTER_PORT", "")
                raise UserError(
                    f"port {port} is in use: give torchrun another with --master-port"
                ) from error
        return cls(where, precision, micro, rank, world)

    @property
    def first(self) -> bool:
        """Whether this process writes the files and speaks to the user."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[object]:
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def split(self, batch: Mapping[str, Tensor]) -> list[Mapping[str, Tensor]]:
        """Micro-batches of at most `micro` samples."""
        count = size_of(batch)
        if self.micro is None or self.micro >= count:
            return [batch]
        pieces = {name: tensor.split(self.micro) for name, tensor in batch.items()}
        return [
            {name: piece[i] for name, piece in pieces.items()}
            for i in range(-(-count // self.micro))
        ]

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Average gradients over the ranks in one flat message.

        A gradient that is missing on some ranks counts as zero there. One that is missing on all
        stays missing, so that Adam lets its parameter rest, as it does in one process.
        """
        if self.world == 1:
            return
        found = torch.tensor([p.grad is not None for p in parameters], device=self.device).float()
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        self._average_flat([found, *(p.grad for p in parameters if p.grad is not None)])
        for parameter, share in zip(parameters, found.tolist(), strict=True):
            if not share:
                parameter.grad = None

    def synchronise_buffers(self, module: nn.Module) -> None:
        """Average running statistics over the ranks: those of batch normalisation, and the
        buffers that a module names in `averaged_buffers`. Others are constants, or follow from
        the weights, which are equal everywhere."""
        if self.world > 1:
            self._average_flat(list(running_buffers(module).values()))

    def broadcast(self, module: nn.Module) -> None:
        """Give every rank the parameters and buffers of rank 0."""
        if self.world > 1:
            with torch.no_grad():
                for tensor in [*module.parameters(), *module.buffers()]:
                    dist.broadcast(tensor, 0)

    def mean(self, values: Mapping[str, float]) -> dict[str, float]:
        """Means of scalars over the ranks."""
        if self.world == 1 or not values:
            return dict(values)
        gathered = self.gather(dict(values))
        names = dict.fromkeys(name for one in gathered for name in one)
        columns = {name: [one[name] for one in gathered if name in one] for name in names}
        return {name: sum(column) / len(column) for name, column in columns.items()}

    def gather(self, value: T) -> list[T]:
        """One value of each rank, on every rank."""
        if self.world == 1:
            return [value]
        out: list[T | None] = [None] * self.world
        dist.all_gather_object(out, value)
        return [one for one in out if one is not None]

    def share(self, value: T) -> T:
        """Rank 0's value, on every rank."""
        if self.world == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, 0)
        return box[0]

    def agree(self, refusal: str) -> None:
        """End every rank when rank 0 found that the run cannot go on.

        Raises:
            UserError: On rank 0, with its words.
            SystemExit: On the others, in silence.
        """
        refusal = self.share(refusal)
        if refusal and self.first:
            raise UserError(refusal)
        if refusal:
            raise SystemExit(2)

    def compile(self, modules: Iterable[nn.Module]) -> None:
        """Compile networks in place, for GPUs; double backward goes through the plain module.

        `forward` is replaced rather than `Module.compile` called, because dynamo skips code of
        torch itself, so that the latter silently compiles nothing of an `nn.Sequential`.
        """
        for module in modules:
            module.forward = torch.compile(module.forward, dynamic=False)

    def close(self) -> None:
        if dist.is_initialized():
            dist.destroy_process_group()

    @torch.no_grad()
    def _average_flat(self, tensors: Sequence[Tensor]) -> None:
        if not tensors:
            return
        exact = any(tensor.dtype == torch.float64 for tensor in tensors)
        kind = torch.float64 if exact else torch.float32
        flat = torch.cat([tensor.reshape(-1).to(kind) for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.world
        start = 0
        for tensor in tensors:
            piece = flat[start : start + tensor.numel()]
            tensor.copy_(piece.view_as(tensor))
            start += tensor.numel()
