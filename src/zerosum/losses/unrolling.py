"""The critic as it will be some steps from now, as a differentiable function of the samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call

from zerosum.errors import UserError
from zerosum.losses.lookahead import Rule
from zerosum.losses.penalties import Critic
from zerosum.losses.precision import eager_float32


def unrolled(
    critic: nn.Module,
    loss: Callable[[Critic], Tensor],
    *,
    steps: int,
    rule: Rule,
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
        rule: How the critic moves: `Descent(lr)`, or `Adam.of(optimizer, weights)` for its own
            Adam from where that stands, with the critic's named parameters as weights.
        differentiable: Whether the steps carry gradients; without it the critic is merely ahead.

    Returns:
        A critic of the same samples. Buffers that it would move, such as running statistics, are
        copies that are thrown away. Its cost is about `steps` times that of a critic's step.

    Raises:
        UserError: A negative number of steps, or called where gradients are switched off.
    """
    if steps < 0:
        raise UserError(f"unrolling needs steps of at least 0, not {steps}")
    if not torch.is_grad_enabled():
        raise UserError("unrolling needs gradients: call it outside torch.no_grad()")
    values = {name: p.detach().clone().requires_grad_() for name, p in critic.named_parameters()}
    buffers = {name: buffer.detach().clone() for name, buffer in critic.named_buffers()}

    def at(parameters: dict[str, Tensor]) -> Critic:
        def call(*samples: Tensor) -> Tensor:
            # Copies again: one that was changed in place could not be differentiated through.
            state = parameters | {name: buffer.clone() for name, buffer in buffers.items()}
            return functional_call(critic, state, samples)

        return call

    for _ in range(steps):
        with eager_float32():
            gradients = torch.autograd.grad(
                loss(at(values)),
                list(values.values()),
                create_graph=differentiable,
                allow_unused=True,
                materialize_grads=True,
            )
        values, rule = rule.moved(values, dict(zip(values, gradients)))
        if not differentiable:
            values = {name: value.detach().requires_grad_() for name, value in values.items()}
    if not differentiable:
        values = {name: value.detach() for name, value in values.items()}
    return at(values)
