"""Objectives with softened or noisy labels for the critic; the generator's loss is untouched."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from zerosum.errors import UserError
from zerosum.losses.objectives import OBJECTIVES, Objective, least_squares
from zerosum.losses.precision import full_precision


def label_smoothed(objective_name: str = "nonsaturating", real: float = 0.9) -> Objective:
    """One-sided label smoothing (Salimans et al. 2016, section 3.4).

    The target of real samples becomes `real` instead of 1; fakes keep 0. Smoothing both sides
    would put p_g into the numerator of the best critic and reward the generator for staying
    where it is; smoothed on one side the best critic is D = real * p/(p + q).

    Args:
        objective_name: "minimax", "nonsaturating" or "lsgan": those that have a label.
        real: Target of real samples, in (0, 1].

    Raises:
        UserError: The objective has no labels, or the target is out of range.
    """
    if not 0 < real <= 1:
        raise UserError(f"the smoothed label of real samples must be in (0, 1], not {real}")
    if objective_name == "lsgan":
        smoothed = least_squares(a=0.0, b=real, c=1.0)
        return Objective(f"lsgan, real={real}", smoothed.critic, smoothed.generator)
    if objective_name not in ("minimax", "nonsaturating"):
        raise UserError(
            "label smoothing is for minimax, nonsaturating and lsgan; "
            f"{objective_name} has no label"
        )

    def critic(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        real_logits, fake_logits = full_precision(real_logits), full_precision(fake_logits)
        on_real = real * softplus(-real_logits) + (1 - real) * softplus(real_logits)
        return on_real.mean() + softplus(fake_logits).mean()

    generator = OBJECTIVES[objective_name].generator
    return Objective(f"{objective_name}, real={real}", critic, generator)


def flipped(
    objective: Objective, probability: float, rng: torch.Generator | None = None
) -> Objective:
    """The same objective with labels flipped at random for the critic.

    With the given probability the i-th real and the i-th fake logit change places. The critic
    then sees the mixtures (1 - e) p + e q and (1 - e) q + e p, so even a perfect one stays
    bounded: its logit is within +-log((1 - e)/e).

    Args:
        objective: Any objective.
        probability: e, the share of pairs that change places, in [0, 1].
        rng: Where the choice is drawn from; the global generator of the logits' device when None.

    Raises:
        UserError: The probability is out of range; or, when called, the two batches of logits
            have different shapes.
    """
    if not 0 <= probability <= 1:
        raise UserError(f"the probability of a flip must be in [0, 1], not {probability}")

    def critic(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
        if real_logits.shape != fake_logits.shape:
            raise UserError(
                "flipping labels swaps real and fake logits: they need one shape, not "
                f"{tuple(real_logits.shape)} and {tuple(fake_logits.shape)}"
            )
        device = real_logits.device if rng is None else rng.device
        drawn = torch.rand(real_logits.shape, generator=rng, device=device)
        swap = (drawn < probability).to(real_logits.device)
        return objective.critic(
            torch.where(swap, fake_logits, real_logits),
            torch.where(swap, real_logits, fake_logits),
        )

    name = f"{objective.name}, flipped {probability}"
    return Objective(name, critic, objective.generator, objective.relativistic)
