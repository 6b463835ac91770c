"""Spectral normalisation: weights divided by an estimate of their largest singular value.

Miyato, Kataoka, Koyama and Yoshida 2018, "Spectral Normalization for Generative Adversarial
Networks", arXiv:1802.05957, section 2.1 and algorithm 1: one step of power iteration per forward
pass, carried over from pass to pass, and a gradient that treats the two singular vectors as
constants.

The paper reshapes a convolution's weight to a matrix (out, in * height * width). Its largest
singular value is not the operator norm of the convolution: that one depends on the size of the
map, and the reshaped matrix only bounds it up to a factor. The true norm, by power iteration with
the convolution and its transpose (Tsuzuku, Sato and Sugiyama 2018, arXiv:1802.04034; Gouk, Frank,
Pfahringer and Cree 2021, arXiv:1804.04368), is here too: give `size`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from zerosum.errors import UserError

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
LAYERS = (nn.Linear, nn.Embedding, *CONVOLUTIONS, *TRANSPOSED)
WARM_UP = 15  # iterations before the first use, so that a fresh layer is not far off

Layer = TypeVar("Layer", bound=nn.Module)
Network = TypeVar("Network", bound=nn.Module)


class Operator(Protocol):
    """A linear map given by a weight, with its transpose."""

    def forward(self, weight: Tensor, v: Tensor) -> Tensor: ...
    def backward(self, weight: Tensor, u: Tensor) -> Tensor: ...
    def start(self, weight: Tensor) -> Tensor:
        """A random u."""
        ...


@dataclass(frozen=True)
class Matrix:
    """The weight as a matrix (out, -1).

    Attributes:
        out: The dimension of the weight that counts outputs; 1 for transposed convolutions.
    """

    out: int = 0

    def _matrix(self, weight: Tensor) -> Tensor:
        return weight.movedim(self.out, 0).flatten(1)

    def forward(self, weight: Tensor, v: Tensor) -> Tensor:
        return self._matrix(weight) @ v

    def backward(self, weight: Tensor, u: Tensor) -> Tensor:
        return self._matrix(weight).T @ u

    def start(self, weight: Tensor) -> Tensor:
        return torch.randn(weight.shape[self.out]).to(weight)


@dataclass(frozen=True)
class Convolution:
    """A convolution on maps of one size, without its bias.

    Attributes:
        size: Size of the map that goes in.
        stride, padding, dilation, groups: As in torch, one number per dimension.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    def _reach(self, weight: Tensor) -> list[tuple[int, int]]:
        """Size of the map that comes out, and how many entries the stride leaves unread."""
        found = []
        for i, side in enumerate(self.size):
            free = side + 2 * self.padding[i] - self.dilation[i] * (weight.shape[2 + i] - 1) - 1
            if free < 0:
                raise UserError(f"a map of size {self.size} is smaller than the kernel")
            found.append((free // self.stride[i] + 1, free % self.stride[i]))
        return found

    def forward(self, weight: Tensor, v: Tensor) -> Tensor:
        apply = (F.conv1d, F.conv2d, F.conv3d)[len(self.size) - 1]
        return apply(v, weight, None, self.stride, self.padding, self.dilation, self.groups)

    def backward(self, weight: Tensor, u: Tensor) -> Tensor:
        apply = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[len(self.size) - 1]
        unread = tuple(rest for _, rest in self._reach(weight))
        # torch's argument order differs between a convolution and its transpose.
        return apply(
            u, weight, None, self.stride, self.padding, unread, self.groups, self.dilation
        )

    def start(self, weight: Tensor) -> Tensor:
        return torch.randn(1, len(weight), *(side for side, _ in self._reach(weight))).to(weight)


class SpectralNorm(nn.Module):
    """The parametrisation: a weight to the weight over its estimated norm.

    The vectors u and v are buffers, so a checkpoint carries them and a resumed run goes on
    exactly. They move in training mode only.
    """

    u: Tensor
    v: Tensor

    def __init__(
        self, weight: Tensor, operator: Operator, iterations: int = 1, eps: float = 1e-12
    ) -> None:
        super().__init__()
        if iterations < 1:
            raise UserError(f"spectral_norm needs at least one iteration, not {iterations}")
        self.operator, self.iterations, self.eps = operator, iterations, eps
        with torch.no_grad():
            u, v = iterate(weight, operator, operator.start(weight), WARM_UP, eps)
        self.register_buffer("u", u)
        self.register_buffer("v", v)

    def forward(self, weight: Tensor) -> Tensor:
        return weight / self.value(weight)

    def value(self, weight: Tensor) -> Tensor:
        """The estimate, a scalar, differentiable in the weight with u and v held constant."""
        # A singular value in half precision would be off by a per cent.
        with torch.autocast(weight.device.type, enabled=False):
            if self.training:
                with torch.no_grad():
                    u, v = iterate(weight, self.operator, self.u, self.iterations, self.eps)
                    self.u.copy_(u)
                    self.v.copy_(v)
            # Copies, because the next forward pass overwrites what this one's backward needs.
            u, v = self.u.clone(), self.v.clone()
            value = (u * self.operator.forward(weight, v)).sum()
            return value.clamp(min=self.eps)  # a weight of zeros stays one

    def right_inverse(self, weight: Tensor) -> Tensor:
        """What to store when `module.weight` is assigned: the weight as it is."""
        return weight


def iterate(
    weight: Tensor, operator: Operator, u: Tensor, iterations: int, eps: float = 1e-12
) -> tuple[Tensor, Tensor]:
    """Power iteration from u: the new left and right singular vectors, both of length one."""
    v = u
    for _ in range(max(iterations, 1)):
        v = _unit(operator.backward(weight, u), eps)
        moved = operator.forward(weight, v)
        # A weight of zeros must not take u along: from 0 it would never come back.
        u = torch.where(moved.norm() > eps, _unit(moved, eps), u)
    return u, v


def spectral_value(weight: Tensor, iterations: int = 100, out: int = 0) -> Tensor:
    """The largest singular value of a weight reshaped to (out, -1), by power iteration.

    Args:
        weight: Any shape of at least two dimensions.
        iterations: More are closer; the error shrinks with the ratio of the two largest
            singular values to the power of twice their number.
        out: The dimension that counts outputs.

    Returns:
        A scalar, from below, differentiable in the weight.
    """
    return _value(weight, Matrix(out), iterations)


def conv_spectral_value(conv: nn.Module, size: Sequence[int], iterations: int = 100) -> Tensor:
    """The operator norm of a convolution on maps of one size (module docstring), without bias.

    Args:
        conv: A convolution or a transposed one, padded with zeros.
        size: Size of the map that goes in, such as (height, width).
        iterations: Steps of power iteration.

    Returns:
        A scalar, from below, differentiable in the weight.

    Raises:
        UserError: No convolution, another padding than zeros, or a size that does not fit.
    """
    return _value(_weight(conv), _convolution(conv, size), iterations)


def spectral_norm(module: Layer, iterations: int = 1, size: Sequence[int] | None = None) -> Layer:
    """Normalise one layer's weight spectrally, in place.

    Initialise the weight before: afterwards `module.weight` is computed, and changing it in
    place has no effect.

    Args:
        module: A linear layer, an embedding or a (transposed) convolution.
        iterations: Steps of power iteration per forward pass in training; the paper takes 1.
        size: Size (height, width) of the map that a convolution sees, to divide by its true
            operator norm; None divides by the norm of the reshaped weight, as the paper does.

    Returns:
        The module.

    Raises:
        UserError: The layer has no such weight, has been normalised before, or does not fit
            the size.
    """
    weight = _weight(module)
    if parametrize.is_parametrized(module, "weight"):
        raise UserError(f"{type(module).__name__} has a parametrised weight already")
    if size is None:
        operator: Operator = Matrix(1 if isinstance(module, TRANSPOSED) else 0)
    else:
        operator = _convolution(module, size)
    norm = SpectralNorm(weight.detach(), operator, iterations).train(module.training)
    parametrize.register_parametrization(module, "weight", norm)
    return module


def spectral_norm_all(network: Network, iterations: int = 1) -> Network:
    """Normalise every linear layer, embedding and convolution inside, those done before left out.

    Args:
        network: Changed in place.
        iterations: As in `spectral_norm`.

    Returns:
        The network.
    """
    for module in list(network.modules()):
        if isinstance(module, LAYERS) and not parametrize.is_parametrized(module, "weight"):
            spectral_norm(module, iterations)
    return network


def _value(weight: Tensor, operator: Operator, iterations: int) -> Tensor:
    with torch.no_grad():
        u, v = iterate(weight, operator, operator.start(weight), iterations)
    return (u * operator.forward(weight, v)).sum()


def _unit(vector: Tensor, eps: float) -> Tensor:
    return vector / vector.norm().clamp(min=eps)


def _weight(module: nn.Module) -> Tensor:
    if not isinstance(module, LAYERS):
        raise UserError(
            f"{type(module).__name__} cannot be normalised spectrally: give a linear layer, "
            "an embedding or a convolution"
        )
    return module.weight


def _convolution(module: nn.Module, size: Sequence[int]) -> Convolution:
    """The convolution whose norm a layer has; a transposed one has that of its transpose."""
    if not isinstance(module, CONVOLUTIONS + TRANSPOSED):
        raise UserError(f"a size belongs to a convolution, not to {type(module).__name__}")
    if module.padding_mode != "zeros" or isinstance(module.padding, str):
        raise UserError("the norm of a convolution is computed for padding with zeros, in numbers")
    if len(size) != len(module.kernel_size):
        raise UserError(f"a size {tuple(size)} does not fit {type(module).__name__}")
    whole = tuple(int(side) for side in size)
    if isinstance(module, TRANSPOSED):
        whole = tuple(_enlarged(module, i, side) for i, side in enumerate(whole))
    padding = tuple(int(p) for p in module.padding)
    return Convolution(whole, module.stride, padding, module.dilation, module.groups)


def _enlarged(module: nn.Module, i: int, side: int) -> int:
    """What a transposed convolution makes of a side of its input along dimension i."""
    assert isinstance(module, TRANSPOSED)
    kernel = module.dilation[i] * (module.kernel_size[i] - 1) + 1
    reach = (side - 1) * module.stride[i] + kernel
    return reach - 2 * int(module.padding[i]) + int(module.output_padding[i])
