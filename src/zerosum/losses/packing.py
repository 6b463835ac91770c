"""Several samples judged as one (PacGAN)."""

from __future__ import annotations

from torch import Tensor

from zerosum.errors import UserError


def packed(samples: Tensor, m: int) -> Tensor:
    """Join each m samples along their channels (PacGAN, Lin et al. 2018, section 2).

    A critic of m independent samples of one side at once sees the product distribution, whose
    total variation from the real one grows with m fastest where modes are missing. Samples have
    to be independent, so pack a batch that is in random order.

    Args:
        samples: A batch (B, C, ...); for the columns of a table or for points (B, C).
        m: How many samples make one.

    Returns:
        (B / m, m * C, ...): samples i * m to i * m + m - 1 are the channels of pack i, in order.

    Raises:
        UserError: m does not divide the batch, or a sample has no channels.
    """
    if m < 1 or samples.ndim < 2 or len(samples) % m:
        raise UserError(
            f"packing makes one of {m} samples (B, C, ...): a batch {tuple(samples.shape)} does "
            "not divide so; choose a batch that is a multiple"
        )
    return samples.reshape(len(samples) // m, m * samples.shape[1], *samples.shape[2:])
