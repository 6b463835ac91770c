"""Penalties on generators: how far a sample moves when its latent does."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.losses.precision import eager_float32, full_precision

Synthesis = Callable[[Tensor], Tensor]


class PathLength(nn.Module):
    """Path length regularisation (StyleGAN2, Karras et al. 2020, eq. 4).

    Penalises (|J^T y| - a)^2 for random y and a running mean a of the lengths, so that a step in
    w moves the image by about the same amount everywhere. `mean` is a buffer: hold the module in
    the game, call `update` after each step, and the mean is part of every checkpoint and the same
    on all ranks.
    """

    averaged_buffers = ("mean",)
    mean: Tensor

    def __init__(self, decay: float = 0.01) -> None:
        """Start at a mean of 0.

        Args:
            decay: How much of each new batch enters the running mean, in (0, 1].

        Raises:
            UserError: The decay is out of range.
        """
        super().__init__()
        if not 0 < decay <= 1:
            raise UserError(f"the decay of PathLength must be in (0, 1], not {decay}")
        self.decay = decay
        self.register_buffer("mean", torch.zeros(()))
        self._next: Tensor | None = None

    @torch.no_grad()
    def update(self) -> None:
        """Let the last batch's lengths enter the mean; call it in the game's `after_step`."""
        if self._next is not None:
            self.mean.copy_(self._next)
        self._next = None

    def forward(
        self, synthesis: Synthesis, latents: Tensor, *, noise: Tensor | None = None
    ) -> Tensor:
        """The penalty of one batch. The running mean itself is moved by `update`.

        Args:
            synthesis: Maps latents to samples (B, C, ...), images (B, C, H, W) for one.
            latents: w, (B, D), or (B, L, D) with one w per layer: squares are summed over D and
                averaged over L. Gradients flow into what made them (the mapping network).
            noise: y, of the samples' shape, not yet divided by sqrt(H W); standard normal when
                None.

        Returns:
            A scalar. The weight is the caller's (2 in the paper, times the interval when lazy).

        Raises:
            UserError: Shapes do not fit, or called where gradients are switched off.
        """
        if latents.ndim not in (2, 3):
            raise UserError(f"latents must be (B, D) or (B, L, D), not {tuple(latents.shape)}")
        gradient = self._gradient(synthesis, full_precision(latents), noise)
        layers = latents.shape[1] if latents.ndim == 3 else 1
        # vector_norm, unlike a root, has derivative 0 where the gradient is 0.
        lengths = torch.linalg.vector_norm(gradient.flatten(1), dim=1) / math.sqrt(layers)
        # The new mean stays in the graph of this penalty, as in the official code: its
        # derivative is the decay times the mean length's, small but not nothing.
        mean = torch.lerp(self.mean.to(lengths.dtype), lengths.mean(), self.decay)
        self._next = mean.detach()
        return (lengths - mean).square().mean()

    @staticmethod
    def _gradient(synthesis: Synthesis, latents: Tensor, noise: Tensor | None) -> Tensor:
        if not torch.is_grad_enabled():
            raise UserError("path length needs gradients: call it outside torch.no_grad()")
        if not latents.requires_grad:
            latents = latents.detach().requires_grad_()
        with eager_float32():
            samples = synthesis(latents)
            if noise is None:
                noise = torch.randn_like(samples)
            if noise.shape != samples.shape:
                raise UserError(
                    f"noise {tuple(noise.shape)} does not have the shape of the samples "
                    f"{tuple(samples.shape)}"
                )
            # Divided so that the expected length does not depend on the resolution.
            scaled = noise.to(samples.dtype) / math.sqrt(math.prod(samples.shape[2:]))
            (gradient,) = torch.autograd.grad((samples * scaled).sum(), latents, create_graph=True)
        return gradient


def jacobian_clamping(
    generator: Synthesis,
    latents: Tensor,
    *,
    smallest: float = 1.0,
    largest: float = 20.0,
    step: float = 1.0,
    direction: Tensor | None = None,
) -> Tensor:
    """Keep |G(z') - G(z)| / |z' - z| within bounds (Odena et al. 2018, algorithm 1).

    Args:
        generator: Maps latents to samples (B, ...). It must give each latent its own sample in
            both calls: no fresh noise in between.
        latents: z, (B, D).
        smallest: Ratios below it are penalised by their squared distance.
        largest: Ratios above it likewise.
        step: |z' - z|.
        direction: Where z' lies, (B, D), of any length but 0; standard normal when None.

    Returns:
        The mean over the batch, a scalar.

    Raises:
        UserError: The bounds or the step make no sense.
    """
    if not 0 <= smallest <= largest or step <= 0:
        raise UserError(
            f"jacobian_clamping needs 0 <= smallest <= largest and a positive step, not "
            f"{smallest}, {largest} and {step}"
        )
    if direction is None:
        direction = torch.randn_like(latents)
    flat = direction.reshape(len(direction), -1)
    unit = (flat / torch.linalg.vector_norm(flat, dim=1, keepdim=True)).reshape(latents.shape)
    moved = full_precision(generator(latents + step * unit)) - full_precision(generator(latents))
    ratio = torch.linalg.vector_norm(moved.reshape(len(moved), -1), dim=1) / step
    return ((ratio - largest).relu().square() + (smallest - ratio).relu().square()).mean()


def mode_seeking(
    first_samples: Tensor,
    second_samples: Tensor,
    first_latents: Tensor,
    second_latents: Tensor,
    *,
    floor: float = 1e-5,
) -> Tensor:
    """Punish samples that stay alike while their latents differ (MSGAN, Mao et al. 2019).

    The paper maximises d(G(z1), G(z2)) / d(z1, z2) with mean absolute differences; here its
    inverse is minimised, as is usual.

    Args:
        first_samples: G(z1), (B, ...), under the same condition as
        second_samples: G(z2), (B, ...).
        first_latents: z1, (B, D).
        second_latents: z2, (B, D).
        floor: Added to the mean ratio before it is inverted.

    Returns:
        1 / (mean ratio over the pairs + floor), a scalar.

    Raises:
        UserError: The two batches differ in shape.
    """
    if first_samples.shape != second_samples.shape or first_latents.shape != second_latents.shape:
        raise UserError("mode_seeking compares pairs: both batches need the same shapes")
    apart = (full_precision(first_samples) - full_precision(second_samples)).abs()
    between = (full_precision(first_latents) - full_precision(second_latents)).abs()
    ratio = apart.reshape(len(apart), -1).mean(1) / between.reshape(len(between), -1).mean(1)
    return 1 / (ratio.mean() + floor)
