"""The critic as it will be some steps from now, as a differentiable function of the samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from zerosum.errors import UserError
from zerosum.losses.penalties import Critic
from zerosum.losses.precision import eager_float32

Rule = Literal["sgd", "adam"]


def unrolled(
    critic: nn.Module,
    loss: Callable[[Critic], Tensor],
    *,
    steps: int,
    lr: float,
    rule: Rule = "sgd",
    betas: tuple[float, float] = (0.5, 0.999),
    eps: float = 1e-8,
    differentiable: bool = True,
) -> Critic:
    """Look some of the critic's steps ahead (Metz et al. 2017, eqs. 7 to 9).

    The generator that minimises a loss under the unrolled critic also sees how the critic would
    answer: gradients flow through the critic's steps back to the samples in `loss`.

    Args:
        critic: The critic; its parameters and buffers stay as they are and get no gradient, even
            where they are frozen.
        loss: What the critic minimises, of a critic: it is called with one that takes the same
            samples as `critic`. Samples in it that depend on the generator carry its gradient.
        steps: How many steps to look ahead; 0 gives the critic as it is.
        lr: The critic's learning rate.
        rule: The critic's rule: gradient descent, or Adam from moments of zero.
        betas: Adam's averaging factors.
        eps: Smallest denominator of Adam, here sqrt(v + eps^2), which unlike sqrt(v) + eps has a
            derivative where a gradient is zero.
        differentiable: Whether the steps carry gradients; without it the critic is merely ahead.

    Returns:
        A critic of the same samples. Buffers that it would move, such as running statistics, are
        copies that are thrown away. Its cost is about `steps` times that of a critic's step.

    Raises:
        UserError: Numbers out of range, or called where gradients are switched off.
    """
    if steps < 0 or lr < 0:
        raise UserError(f"unrolling needs steps and lr of at least 0, not {steps} and {lr}")
    if not torch.is_grad_enabled():
        raise UserError("unrolling needs gradients: call it outside torch.no_grad()")
    names = [name for name, _ in critic.named_parameters()]
    values = [p.detach().clone().requires_grad_() for p in critic.parameters()]
    buffers = {name: buffer.detach().clone() for name, buffer in critic.named_buffers()}

    def at(parameters: list[Tensor]) -> Critic:
        def call(*samples: Tensor) -> Tensor:
            # Copies again: one that was changed in place could not be differentiated through.
            state = dict(zip(names, parameters)) | {n: b.clone() for n, b in buffers.items()}
            return functional_call(critic, state, samples)

        return call

    first = [torch.zeros_like(value) for value in values]
    second = [torch.zeros_like(value) for value in values]
    for step in range(1, steps + 1):
        with eager_float32():
            gradients = torch.autograd.grad(
                loss(at(values)),
                values,
                create_graph=differentiable,
                allow_unused=True,
                materialize_grads=True,
            )
        if rule == "sgd":
            values = [value - lr * g for value, g in zip(values, gradients)]
        else:
            b1, b2 = betas
            first = [b1 * m + (1 - b1) * g for m, g in zip(first, gradients)]
            second = [b2 * v + (1 - b2) * g.square() for v, g in zip(second, gradients)]
            values = [
                value - lr * (m / (1 - b1**step)) / (v / (1 - b2**step) + eps**2).sqrt()
                for value, m, v in zip(values, first, second)
            ]
        if not differentiable:
            values = [value.detach().requires_grad_() for value in values]
    if not differentiable:
        values = [value.detach() for value in values]
    return at(values)
