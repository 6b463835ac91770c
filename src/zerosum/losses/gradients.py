"""Gradients brought to a known size before they reach the generator."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from zerosum.errors import UserError


class RunningMean(nn.Module):
    """Exponential means of some numbers, unbiased from the first step on, as buffers.

    What is measured within a step counts at once, but enters the mean for good only in `update`,
    which belongs into the game's `after_step`: a loss may be evaluated more often than a step is
    made. On several ranks the means are averaged after each step.
    """

    averaged_buffers = ("total", "weight")
    total: Tensor
    weight: Tensor
    met: Tensor
    count: Tensor

    def __init__(self, numbers: int, decay: float) -> None:
        """Start empty.

        Args:
            numbers: How many.
            decay: How much of the old mean stays at each update, in [0, 1).

        Raises:
            UserError: The decay is out of range.
        """
        super().__init__()
        if not 0 <= decay < 1:
            raise UserError(f"the decay of a running mean must be in [0, 1), not {decay}")
        self.decay = decay
        self.register_buffer("total", torch.zeros(numbers))
        self.register_buffer("weight", torch.zeros(()))
        # Buffers, so that whoever tries a loss can put them back; empty between two steps.
        self.register_buffer("met", torch.zeros(numbers), persistent=False)
        self.register_buffer("count", torch.zeros(()), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """The means (numbers,) with these values (numbers,) in them."""
        values = values.detach().to(self.total)
        self.met += values
        self.count += 1
        return (self.decay * self.total + values) / (self.decay * self.weight + 1)

    @torch.no_grad()
    def update(self) -> None:
        """Let the mean of what was measured since the last update enter; nothing without any."""
        some = self.count > 0  # `where`, not `if`: nothing waits for the device
        mean = self.met / self.count.clamp(min=1)
        self.total.copy_(torch.where(some, self.decay * self.total + mean, self.total))
        self.weight.copy_(torch.where(some, self.decay * self.weight + 1, self.weight))
        self.met.zero_()
        self.count.zero_()


class GradientNorm(nn.Module):
    """Hands samples on as they are, and divides the gradient that comes back by its running RMS.

    Put it between generator and critic: however steep the critic is, each number of a sample then
    pulls with a strength of about one, summed over the batch. Adversarial flow models (Lin et al.
    2025, arXiv:2511.22475) keep the adversarial gradient in proportion to their other term so;
    the decay 0.9 is theirs. With Adam and no other term only changes over time matter.
    """

    def __init__(self, decay: float = 0.9, eps: float = 1e-8) -> None:
        """Start empty.

        Args:
            decay: How much of the running mean square stays at each `update`, in [0, 1).
            eps: Added to the root, so that a critic without slope gives no gradient.

        Raises:
            UserError: The decay is out of range.
        """
        super().__init__()
        self.square = RunningMean(1, decay)
        self.eps = eps

    def forward(self, samples: Tensor) -> Tensor:
        """The samples (B, ...); whoever made them gets the normalised gradient."""
        if not samples.requires_grad:
            return samples
        handed = samples.view_as(samples)
        handed.register_hook(self._normal)
        return handed

    def update(self) -> None:
        """Move the running mean; once a step, in `after_step`."""
        self.square.update()

    def _normal(self, gradient: Tensor) -> Tensor:
        square = self.square(gradient.float().square().mean().view(1))
        return gradient / (square.sqrt() + self.eps).to(gradient.dtype)


class Balancer(nn.Module):
    """Weights that are shares of the gradient, whatever the scale of each loss.

    Defossez et al. 2022, "High Fidelity Neural Audio Compression" (EnCodec), arXiv:2210.13438,
    section 3.4, eq. 4: with g_i the gradient of loss i by the model's output and <.> a running
    mean of its norm, what flows back is the sum of R w_i / (sum_j w_j) g_i / <|g_i|>.
    """

    def __init__(
        self, weights: Mapping[str, float], *, total: float = 1.0, decay: float = 0.999
    ) -> None:
        """Start empty.

        Args:
            weights: Share of each loss in the gradient, by name; only their ratios matter.
            total: R, the norm that the shares add up to; 1 in the paper.
            decay: Of the running norms, in [0, 1); 0.999 in the paper.

        Raises:
            UserError: A negative weight, none above 0, or a decay out of range.
        """
        super().__init__()
        whole = sum(weights.values())
        if whole <= 0 or min(weights.values()) < 0:
            raise UserError(f"a balancer needs weights of at least 0, one above, not {weights}")
        self.shares = {name: total * weight / whole for name, weight in weights.items()}
        self.norms = RunningMean(len(weights), decay)

    def forward(self, losses: Mapping[str, Tensor], output: Tensor) -> dict[str, Tensor]:
        """Terms for a turn: each loss rescaled, with the balanced gradient by the output.

        The gradient reaches parameters through the output alone, and no loss is gone through
        twice.

        Args:
            losses: Scalars that depend on the output, by the names of the weights.
            output: What the model made, of any shape.

        Raises:
            UserError: Other names than the weights have, or an output without a gradient.
        """
        if set(losses) != set(self.shares):
            raise UserError(
                f"the balancer weighs {', '.join(self.shares)}, not {', '.join(losses)}"
            )
        if not output.requires_grad:
            raise UserError("the balancer needs an output with a gradient: do not detach it")
        found = [
            torch.autograd.grad(
                losses[name], output, retain_graph=True, allow_unused=True, materialize_grads=True
            )[0]
            for name in self.shares
        ]
        norms = self.norms(torch.stack([torch.linalg.vector_norm(g.float()) for g in found]))
        terms = {}
        for (name, share), gradient, norm in zip(self.shares.items(), found, norms):
            factor = share / norm.clamp(min=1e-12)
            pull = (output - output.detach()) * (factor * gradient)  # 0, with that slope
            terms[name] = factor * losses[name].detach() + pull.sum()
        return terms

    def update(self) -> None:
        """Move the running norms; once a step, in `after_step`."""
        self.norms.update()
