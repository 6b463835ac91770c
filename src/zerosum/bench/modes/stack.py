"""Several copies of a small network, one per seed, trained side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from zerosum.bench.modes.networks import Joint, Largest

Parameters = dict[str, Tensor]


class Stack:
    """S copies of one network, evaluated in one go, each on its own rows.

    Samples are flat, (S * B, ...), with the rows of the first copy first, so that every loss of
    `zerosum.losses`, a mean over all rows, applies unchanged. Such a mean is 1/S of the sum of
    the copies' own means; times S, it gives each copy the gradient that it would get alone.

    Small networks are bound by the cost of launching operations, not by arithmetic. The few
    kinds of layers are therefore written here for a leading axis of S, which was 1.5 to 2 times
    as fast as `torch.func.vmap` at the sizes of this bench (two CPU cores, torch 2.13).

    Args:
        build: Makes one network of the layers that `_run` knows. It must be free of buffers:
            batch normalisation with `track_running_stats=False`.
        seeds: Of the initial weights, one per copy.
        device: Where the weights live.

    Attributes:
        parameters: All weights, each with a leading axis of S, by their names in one network.
    """

    def __init__(
        self,
        build: Callable[[], nn.Module],
        seeds: Sequence[int],
        device: torch.device | str = "cpu",
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            copies = []
            for seed in seeds:
                torch.manual_seed(seed)
                copies.append(build())
        buffers = [name for name, _ in copies[0].named_buffers()]
        if buffers:
            raise ValueError(f"a stacked network keeps no buffers, but has {', '.join(buffers)}")
        each = [dict(one.named_parameters()) for one in copies]
        self.count = len(copies)
        self.parameters: Parameters = {
            name: torch.stack([one[name].detach() for one in each]).to(device).requires_grad_()
            for name in each[0]
        }
        self._shape = copies[0].to("meta")
        norms = (nn.BatchNorm1d, nn.BatchNorm2d)
        self._mixes = any(isinstance(part, norms) for part in self._shape.modules())

    def __call__(self, *samples: Tensor, parameters: Parameters | None = None) -> Tensor:
        """Outputs (S * B, ...) at flat samples (S * B, ...).

        Args:
            samples: The arguments of the network, each with S blocks of rows.
            parameters: Used instead of the stack's own, for a look ahead in training.
        """
        weights = self.parameters if parameters is None else parameters
        blocks = [part.unflatten(0, (self.count, -1)) for part in samples]
        return _run(self._shape, "", weights, *blocks).flatten(0, 1)

    def both(
        self,
        first: tuple[Tensor, ...],
        second: tuple[Tensor, ...],
        parameters: Parameters | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Outputs at two sets of as many samples, in one pass where the network allows it.

        Under batch normalisation each set is normalised alone, hence in a pass of its own.
        """
        if self._mixes:
            return self(*first, parameters=parameters), self(*second, parameters=parameters)
        joined = [self.joined(one, other) for one, other in zip(first, second)]
        halves = self(*joined, parameters=parameters).unflatten(0, (self.count, 2, -1))
        return halves[:, 0].flatten(0, 1), halves[:, 1].flatten(0, 1)

    def joined(self, first: Tensor, second: Tensor) -> Tensor:
        """Two flat sets of samples as one, each copy's rows together."""
        blocks = [part.unflatten(0, (self.count, -1)) for part in (first, second)]
        return torch.cat(blocks, dim=1).flatten(0, 1)


def _run(module: nn.Module, name: str, weights: Parameters, *x: Tensor) -> Tensor:
    """A module at blocks (S, B, ...) with the stacked weights under `name`."""
    if isinstance(module, Joint):
        seen = _run(module.features, f"{name}features.", weights, x[1])
        return _run(module.head, f"{name}head.", weights, torch.cat([x[0], seen], dim=2))
    (block,) = x
    match module:
        case nn.Sequential():
            for child, part in module.named_children():
                block = _run(part, f"{name}{child}.", weights, block)
            return block
        case nn.LeakyReLU() | nn.ReLU() | nn.Tanh() | Largest():
            return module(block)
        case nn.Linear():
            across = weights[name + "weight"].transpose(1, 2)
            if module.bias is None:
                return torch.bmm(block, across)
            return torch.baddbmm(weights[name + "bias"][:, None], block, across)
        case nn.Flatten():
            return block.flatten(module.start_dim + 1)
        case nn.Unflatten():
            assert isinstance(module.dim, int)
            return block.unflatten(module.dim + 1, module.unflattened_size)
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return _normalised(block, weights[name + "weight"], weights[name + "bias"], module.eps)
        case nn.Conv2d() | nn.ConvTranspose2d():
            return _convolved(module, block, weights[name + "weight"], weights[name + "bias"])
    raise TypeError(f"{type(module).__name__} has no stacked form")


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
