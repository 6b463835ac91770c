"""Several copies of a small network, one per seed, trained side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import conv2d, conv_transpose2d

from zerosum.bench.modes.networks import Apart, Joint, Largest


class Stack(nn.Module):
    """S copies of one network, evaluated in one go, each on its own rows.

    Samples are flat, (S * B, ...), with the rows of the first copy first, so that every loss of
    `zerosum.losses`, a mean over all rows, applies unchanged. Such a mean is 1/S of the sum of
    the copies' own means; times S, it gives each copy the gradient that it would get alone.

    Small networks are bound by the cost of launching operations, not by arithmetic. The few
    kinds of layers are therefore written here for a leading axis of S, which was 1.5 to 2 times
    as fast as `torch.func.vmap` at the sizes of this bench (two CPU cores, torch 2.13).

    Args:
        build: Makes one network of the layers that `_run` knows. It must be free of buffers that
            a state keeps: batch normalisation with `track_running_stats=False`.
        seeds: Of the initial weights, one per copy.
        device: Where the weights live.

    Attributes:
        count: S.
        network: One network whose weights have a leading axis of S; never called itself.
        mixes: Whether a sample's output depends on its neighbours, by batch normalisation, so
            that real and generated samples need passes of their own.
    """

    def __init__(
        self,
        build: Callable[[], nn.Module],
        seeds: Sequence[int],
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            copies = []
            for seed in seeds:
                torch.manual_seed(seed)
                copies.append(build())
        self.count, self.network = len(copies), copies[0]
        weights = {name for name, _ in self.network.named_parameters()}
        buffers = sorted(self.network.state_dict().keys() - weights)  # no constants
        if buffers:
            raise ValueError(f"a stacked network keeps no buffers, but has {', '.join(buffers)}")
        each = [[weight.data for weight in one.parameters()] for one in copies]
        for weight, *parts in zip(self.network.parameters(), *each):
            weight.data = torch.stack(parts).to(device)
        norms = (nn.BatchNorm1d, nn.BatchNorm2d)
        self.mixes = any(isinstance(part, norms) for part in self.network.modules())

    def forward(self, *samples: Tensor) -> Tensor:
        """Outputs (S * B, ...) at flat samples (S * B, ...), one per argument of the network."""
        blocks = [part.unflatten(0, (self.count, -1)) for part in samples]
        return _run(self.network, *blocks).flatten(0, 1)

    def both(
        self,
        first: tuple[Tensor, ...],
        second: tuple[Tensor, ...],
        through: Callable[..., Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Outputs at two sets of as many samples, in one pass where the network allows it.

        Args:
            first: The arguments of the network, flat.
            second: Likewise.
            through: Called in the place of this stack, such as itself at other weights.
        """
        through = self if through is None else through
        if self.mixes:
            return through(*first), through(*second)
        joined = [self.joined(one, other) for one, other in zip(first, second)]
        halves = through(*joined).unflatten(0, (self.count, 2, -1))
        return halves[:, 0].flatten(0, 1), halves[:, 1].flatten(0, 1)

    def joined(self, first: Tensor, second: Tensor) -> Tensor:
        """Two flat sets of samples as one, each copy's rows together."""
        blocks = [part.unflatten(0, (self.count, -1)) for part in (first, second)]
        return torch.cat(blocks, dim=1).flatten(0, 1)


def _run(module: nn.Module, *x: Tensor) -> Tensor:
    """A module whose weights are stacked at blocks (S, B, ...)."""
    if isinstance(module, Joint):
        return _run(module.head, torch.cat([x[0], _run(module.features, x[1])], dim=2))
    (block,) = x
    match module:
        case nn.Sequential():
            for part in module:
                block = _run(part, block)
            return block
        case nn.LeakyReLU() | nn.ReLU() | nn.Tanh() | Largest():
            return module(block)
        case nn.Linear():
            across = module.weight.transpose(1, 2)
            if module.bias is None:
                return torch.bmm(block, across)
            return torch.baddbmm(module.bias[:, None], block, across)
        case nn.Flatten():
            return block.flatten(module.start_dim + 1)
        case nn.Unflatten():
            assert isinstance(module.dim, int)
            return block.unflatten(module.dim + 1, module.unflattened_size)
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return _normalised(block, module.weight, module.bias, module.eps)
        case nn.Conv2d() | nn.ConvTranspose2d():
            assert module.bias is not None
            return _convolved(module, block, module.weight, module.bias)
        case Apart():
            return _apart(module.network, block)
    raise TypeError(f"{type(module).__name__} has no stacked form")


def _apart(network: nn.Module, block: Tensor) -> Tensor:
    """Each copy of a whole network on its own rows."""
    weights = dict(network.named_parameters())
    return torch.stack(
        [
            functional_call(network, {name: weight[i] for name, weight in weights.items()}, rows)
            for i, rows in enumerate(block.unbind())
        ]
    )


def _normalised(block: Tensor, weight: Tensor, bias: Tensor, epsilon: float) -> Tensor:
    """Batch normalisation of (S, B, F, ...) over all but S and F."""
    over = [axis for axis in range(block.ndim) if axis not in (0, 2)]
    variance, mean = torch.var_mean(block, over, correction=0, keepdim=True)
    shape = (weight.shape[0], 1, weight.shape[1], *[1] * (block.ndim - 3))
    scale = weight.view(shape) * (variance + epsilon).rsqrt()
    return (block - mean) * scale + bias.view(shape)


def _convolved(
    module: nn.Conv2d | nn.ConvTranspose2d, block: Tensor, weight: Tensor, bias: Tensor
) -> Tensor:
    """Convolutions one copy after the other: grouped ones are slower on a CPU."""
    stride, padding = module.stride, module.padding
    assert not isinstance(padding, str)
    parts = zip(block.unbind(), weight.unbind(), bias.unbind())
    if isinstance(module, nn.ConvTranspose2d):
        extra = module.output_padding
        return torch.stack([conv_transpose2d(*part, stride, padding, extra) for part in parts])
    return torch.stack([conv2d(*part, stride, padding) for part in parts])


class Streams:
    """One stream of random numbers per seed, so that no seed depends on who trains beside it.

    Args:
        seeds: One per copy.
        device: Where the numbers are drawn.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._generators = [torch.Generator(self.device).manual_seed(seed) for seed in seeds]

    def __len__(self) -> int:
        return len(self._generators)

    def normal(self, rows: int, *shape: int) -> Tensor:
        """N(0, 1), (S * rows, *shape)."""
        return torch.cat(
            [torch.randn(rows, *shape, generator=g, device=self.device) for g in self._generators]
        )

    def uniform(self, rows: int, *shape: int) -> Tensor:
        """U[0, 1), (S * rows, *shape)."""
        return torch.cat(
            [torch.rand(rows, *shape, generator=g, device=self.device) for g in self._generators]
        )

    def integers(self, high: int, rows: int) -> Tensor:
        """Whole numbers below `high`, (S * rows,)."""
        return torch.cat(
            [
                torch.randint(high, (rows,), generator=g, device=self.device)
                for g in self._generators
            ]
        )

    def state(self) -> list[Tensor]:
        """What `restore` needs to go on with the same numbers."""
        return [generator.get_state() for generator in self._generators]

    def restore(self, state: Sequence[Tensor]) -> None:
        for generator, saved in zip(self._generators, state, strict=True):
            generator.set_state(saved.cpu())
