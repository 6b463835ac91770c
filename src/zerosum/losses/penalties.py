"""Gradient penalties on critics: R1, R2, WGAN-GP, DRAGAN.

All return unweighted scalars. All run in float32 (float64 stays), outside autocast and on the
uncompiled module, whatever surrounds the call: half precision moves their gradients visibly, and
a compiled module cannot be differentiated twice. Each differentiates the *sum* of the logits,
which gives every sample its own gradient in one pass, provided that the critic treats samples
apart; under batch norm or minibatch statistics the gradient also holds the neighbours' share.

A sample is one tensor (B, ...) or a tuple of tensors, such as nodes (B, N, K) and edges
(B, N, N, E) of a graph; the critic is then called with one argument each, and the gradient norm
runs over all of them together.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from zerosum.errors import UserError
from zerosum.losses.precision import eager_float32, full_precision

Critic = Callable[..., Tensor]  # samples (B, ...), or one argument per part, to logits (B,)
Samples = Tensor | tuple[Tensor, ...]


def gradient_norms(critic: Critic, samples: Samples) -> Tensor:
    """Norm of the critic's gradient at each sample, differentiable in the critic's parameters.

    Args:
        critic: Maps the samples to logits (B,), or to any shape (B, ...): all logits of a sample
            are summed.
        samples: Where the gradient is taken; used detached and in float32.

    Returns:
        Norms (B,), over all dimensions of all parts of a sample. Where a gradient is zero, so is
        the derivative of its norm. A critic that ignores its input has zero norms.

    Raises:
        UserError: Called where gradients are switched off.
    """
    return _squared_norms(critic, samples, root=True)


def r1(critic: Critic, real: Samples) -> Tensor:
    """Squared gradient norm of the critic at real data (Mescheder et al. 2018, eq. 9).

    Args:
        critic: Maps samples (B, ...) to logits (B,).
        real: A batch (B, ...), or a tuple of batches.

    Returns:
        The mean over the batch of the squared gradient norm, summed over all dimensions of a
        sample; a scalar. The weight gamma / 2 is the caller's.

    Raises:
        UserError: Called where gradients are switched off.
    """
    return _squared_norms(critic, real).mean()


def r2(critic: Critic, fake: Samples) -> Tensor:
    """As `r1`, at fake samples (Mescheder et al. 2018, eq. 10); they are used detached."""
    return _squared_norms(critic, fake).mean()


def gradient_penalty(
    critic: Critic,
    real: Samples,
    fake: Samples,
    *,
    mix: Tensor | None = None,
    target: float = 1.0,
    one_sided: bool = False,
) -> Tensor:
    """Penalty on the gradient norm between real and fake (WGAN-GP, Gulrajani et al. 2017, eq. 3).

    Args:
        critic: Maps samples (B, ...) to logits (B,).
        real: A batch (B, ...), or a tuple of batches.
        fake: As many fake samples, the same shapes; used detached.
        mix: Share of the real sample in each point, (B,); uniform on [0, 1] when None.
        target: The norm that costs nothing: 1 for WGAN-GP, 0 for the zero-centred penalty of
            Thanh-Tung et al. 2019.
        one_sided: Only norms above the target cost (WGAN-LP, Petzka et al. 2018).

    Returns:
        The mean of (norm - target)^2, a scalar. The weight (10 in the paper) is the caller's.

    Raises:
        UserError: Shapes do not fit, or called where gradients are switched off.
    """
    reals, fakes = parts_of(real), parts_of(fake)
    if [part.shape for part in reals] != [part.shape for part in fakes]:
        raise UserError(
            "gradient_penalty mixes real with fake samples: they need the same shapes, not "
            f"{shapes_of(reals)} and {shapes_of(fakes)}"
        )
    batch = len(reals[0])
    if mix is None:
        mix = torch.rand(batch, device=reals[0].device)
    if mix.shape != (batch,):
        raise UserError(
            f"mix must have one number per sample, ({batch},), not {shapes_of((mix,))}"
        )
    between = tuple(_mixed(one, other, mix) for one, other in zip(reals, fakes))
    excess = gradient_norms(critic, between) - target
    if one_sided:
        excess = excess.relu()
    return excess.square().mean()


def dragan(
    critic: Critic, real: Samples, *, noise: Samples | None = None, target: float = 1.0
) -> Tensor:
    """Penalty on the gradient norm around real data (DRAGAN, Kodali et al. 2017).

    Args:
        critic: Maps samples (B, ...) to logits (B,).
        real: A batch (B, ...), or a tuple of batches.
        noise: Added to the real samples, same shapes. When None it is the authors' code's: half
            the standard deviation of the batch, times a number of [0, 1) that each sample has for
            itself, times one that each of its values has, both uniform.
        target: The norm that costs nothing.

    Returns:
        The mean of (norm - target)^2, a scalar. The weight (10 in the paper) is the caller's.

    Raises:
        UserError: Shapes do not fit, or called where gradients are switched off.
    """
    reals = tuple(full_precision(part.detach()) for part in parts_of(real))
    noises = dragan_noise(reals) if noise is None else parts_of(noise)
    if [part.shape for part in reals] != [part.shape for part in noises]:
        raise UserError(
            f"noise {shapes_of(noises)} does not have the shape of the samples {shapes_of(reals)}"
        )
    around = tuple(part + move.to(part.dtype) for part, move in zip(reals, noises))
    return (gradient_norms(critic, around) - target).square().mean()


def dragan_noise(samples: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Noise (B, ...) for each part of a batch, as `dragan` describes it."""
    far = torch.rand(len(samples[0]), dtype=samples[0].dtype, device=samples[0].device)
    return tuple(
        0.5 * part.std() * far.view(-1, *[1] * (part.ndim - 1)) * torch.rand_like(part)
        for part in samples
    )


def judged(critic: Critic, samples: Tensor) -> tuple[Tensor, Tensor]:
    """Logits and squared gradient norms at the same samples, from one pass of a critic that is
    homogeneous: of leaky ReLUs and linear layers.

    One pass instead of two also takes both at the same place, where samples are changed at random
    before the critic. And of a critic that is homogeneous of degree one in its input and biases
    together, with `scale` multiplying both, the logit is its own derivative by `scale` (Euler).
    Taken from there it needs no backward pass of its own: all is differentiated through the
    gradient's graph, which the slope needs anyway, at two thirds of the work.

    Args:
        critic: Maps samples (B, ...) and scales (B,) to logits (B,).
        samples: A batch (B, ...); used detached and in float32.

    Returns:
        The logits, and the squared norm of each sample's gradient (B,), whose mean is `r1`; both
        differentiable in the critic's parameters.

    Raises:
        UserError: Called where gradients are switched off.
    """
    _needs_gradients()
    x = full_precision(samples.detach()).requires_grad_()
    scale = x.new_ones(len(x)).requires_grad_()
    with eager_float32():
        logits = critic(x, scale)
        slope, own = torch.autograd.grad(logits.sum(), (x, scale), create_graph=True)
    # The value of the one and the derivatives of the other: rounding, in half precision most of
    # all, is larger in a sum over all layers.
    return own + (logits - own).detach(), slope.flatten(1).square().sum(1)


def _squared_norms(critic: Critic, samples: Samples, *, root: bool = False) -> Tensor:
    _needs_gradients()
    inputs = tuple(full_precision(part.detach()).requires_grad_() for part in parts_of(samples))
    with eager_float32():
        total = critic(*inputs).sum()
        if not total.requires_grad:  # a constant: nothing to differentiate, and no gradient
            return torch.zeros(len(inputs[0]), dtype=inputs[0].dtype, device=inputs[0].device)
        gradients = torch.autograd.grad(
            total, inputs, create_graph=True, allow_unused=True, materialize_grads=True
        )
        flat = torch.cat([part.reshape(len(part), -1) for part in gradients], dim=1)
        # vector_norm, unlike the root of a sum, has derivative 0 where the gradient is 0.
        return torch.linalg.vector_norm(flat, dim=1) if root else flat.square().sum(1)


def _needs_gradients() -> None:
    if not torch.is_grad_enabled():
        raise UserError("a gradient penalty needs gradients: call it outside torch.no_grad()")


def _mixed(real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    real, fake = full_precision(real.detach()), full_precision(fake.detach())
    share = mix.to(real).reshape(-1, *[1] * (real.ndim - 1))
    return share * real + (1 - share) * fake


def parts_of(samples: Samples) -> tuple[Tensor, ...]:
    """The tensors of a batch, one or several."""
    return (samples,) if isinstance(samples, Tensor) else tuple(samples)


def shapes_of(parts: tuple[Tensor, ...]) -> str:
    """Their shapes, for a message."""
    return " and ".join(str(tuple(part.shape)) for part in parts)
