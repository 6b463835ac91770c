"""Consistency regularisation: what should not matter to the critic must not change its logits.

CR is Zhang et al. 2020; bCR, zCR and their union ICR are Zhao et al. 2021.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from zerosum.errors import UserError
from zerosum.losses.precision import full_precision

Critic = Callable[[Tensor], Tensor]


def cr(logits: Tensor, augmented_logits: Tensor) -> Tensor:
    """Mean squared difference of the critic's outputs for the same samples, augmented or not.

    Args:
        logits: Critic's outputs (B, ...) for real samples.
        augmented_logits: Its outputs for the augmented samples, same shape.

    Returns:
        A scalar. The weight (10 in the paper) is the caller's.

    Raises:
        UserError: The outputs differ in shape.
    """
    if logits.shape != augmented_logits.shape:
        raise UserError(
            f"consistency compares like with like, not {tuple(logits.shape)} with "
            f"{tuple(augmented_logits.shape)}"
        )
    return (full_precision(logits) - full_precision(augmented_logits)).square().mean()


def bcr(
    critic: Critic, augment: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor
) -> tuple[Tensor, Tensor]:
    """Balanced consistency: `cr` on real samples and on fake ones, which are used detached.

    Args:
        critic: Maps samples (B, ...) to logits (B,).
        augment: A random change that keeps a sample's meaning.
        real: A batch (B, ...).
        fake: A batch (B', ...).

    Returns:
        The real and the fake term, two scalars, for the caller to weight (10 each in the paper).
    """
    fake = fake.detach()
    return cr(critic(real), critic(augment(real))), cr(critic(fake), critic(augment(fake)))


def zcr_critic(fake_logits: Tensor, moved_logits: Tensor) -> Tensor:
    """zCR's term for the critic: its logits must not follow a small change of the latent.

    Args:
        fake_logits: D(G(z)), (B,).
        moved_logits: D(G(z + noise)), (B,).

    Returns:
        The mean squared difference, a scalar; the usual weight is 5.
    """
    return cr(fake_logits, moved_logits)


def zcr_generator(fake: Tensor, moved: Tensor) -> Tensor:
    """zCR's term for the generator: its samples must follow a small change of the latent.

    Args:
        fake: G(z), (B, ...).
        moved: G(z + noise), same shape.

    Returns:
        Minus the mean squared difference, a scalar, so minimising it moves the samples apart;
        the usual weight is 0.5.
    """
    return -cr(fake, moved)
