"""Small remedies for an unstable game: instance noise, top-k selection, LeCam anchors."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from zerosum.errors import UserError
from zerosum.losses.precision import full_precision


def instance_noise(samples: Tensor, sigma: float, *, rng: torch.Generator | None = None) -> Tensor:
    """Add normal noise to what the critic sees (Soenderby et al. 2017; Arjovsky & Bottou 2017).

    Given to real and to fake samples alike, it makes their distributions overlap, so that the
    Jensen-Shannon divergence has a slope again. Usually sigma is lowered to 0 over training.

    Args:
        samples: A batch (B, ...).
        sigma: Standard deviation of the noise, in units of the samples, at least 0.
        rng: Where the noise is drawn from; the samples' device's global generator when None.

    Raises:
        UserError: Sigma is negative.
    """
    if sigma < 0:
        raise UserError(f"the sigma of instance noise must be at least 0, not {sigma}")
    if sigma == 0:
        return samples
    device = samples.device if rng is None else rng.device
    noise = torch.randn(samples.shape, dtype=samples.dtype, device=device, generator=rng)
    return samples + sigma * noise.to(samples.device)


def top_k(fake_logits: Tensor, share: float) -> Tensor:
    """The highest logits of a batch (Sinha et al. 2020): the generator learns from those alone.

    Samples that the critic finds worst tend to be pushed the wrong way. The paper lowers the
    share from 1 to 0.5 over training.

    Args:
        fake_logits: Logits (B,), or (B, ...) which are averaged per sample.
        share: Share of the batch to keep, in (0, 1]; rounded up to whole samples.

    Returns:
        Logits (k,), the largest first, k = ceil(share * B).

    Raises:
        UserError: The share is out of range.
    """
    if not 0 < share <= 1:
        raise UserError(f"top_k keeps a share in (0, 1] of the batch, not {share}")
    per_sample = fake_logits.reshape(len(fake_logits), -1).mean(1)
    keep = math.ceil(share * len(per_sample) - 1e-9)  # 0.6 * 5 is a little more than 3
    return per_sample.topk(keep).values


class LeCamAnchors(nn.Module):
    """Running means of the critic's logits for `lecam`, as buffers.

    The first update sets them, later ones move them; on several ranks they are averaged after each
    step. `update` belongs into the game's `after_step`, with the logits of the critic's turn.
    """

    averaged_buffers = ("real", "fake")
    real: Tensor
    fake: Tensor
    started: Tensor

    def __init__(self, decay: float = 0.99) -> None:
        """Start empty.

        Args:
            decay: How much of the old mean stays at each update, in [0, 1).

        Raises:
            UserError: The decay is out of range.
        """
        super().__init__()
        if not 0 <= decay < 1:
            raise UserError(f"the decay of LeCamAnchors must be in [0, 1), not {decay}")
        self.decay = decay
        self.register_buffer("real", torch.zeros(()))
        self.register_buffer("fake", torch.zeros(()))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    @torch.no_grad()
    def update(self, real_logits: Tensor, fake_logits: Tensor) -> None:
        """Take in the logits (B,) of one critic's step."""
        for anchor, logits in ((self.real, real_logits), (self.fake, fake_logits)):
            now = logits.mean().to(anchor)
            moved = torch.lerp(now, anchor, self.decay)
            # `where`, not `if`: the flag stays on the device, nothing waits for it.
            anchor.copy_(torch.where(self.started, moved, now))
        self.started.fill_(True)


def lecam(real_logits: Tensor, fake_logits: Tensor, anchors: LeCamAnchors) -> Tensor:
    """Pull logits towards the other side's running mean (LeCam, Tseng et al. 2021).

    E[(l_real - a_fake)^2] + E[(l_fake - a_real)^2], for training on little data: it holds the
    critic's two means together. Call `anchors.update` once per critic's step, before or after.

    Args:
        real_logits: Logits (B,) of real samples.
        fake_logits: Logits (B,) of fake samples.
        anchors: Their running means.

    Returns:
        A scalar; weights of 0.01 to 0.3 are usual.
    """
    on_real = (full_precision(real_logits) - anchors.fake).square().mean()
    return on_real + (full_precision(fake_logits) - anchors.real).square().mean()
