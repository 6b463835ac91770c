"""Parts of networks that write rows of tables: numbers by tanh, categories by Gumbel softmax."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot


class Residual(nn.Module):
    """Features (B, size) beside new ones: (B, width + size)."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(size, width), nn.BatchNorm1d(width), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.layers(x), x], dim=1)


def writer(size: int, widths: Sequence[int], out: int) -> nn.Sequential:
    """Residual blocks and a last layer: (B, size) becomes (B, out).

    Args:
        size: Features of what is read.
        widths: New features of each block.
        out: Features of what is written.
    """
    blocks: list[nn.Module] = []
    for width in widths:
        blocks.append(Residual(size, width))
        size += width
    return nn.Sequential(*blocks, nn.Linear(size, out))


def gumbel(code: Tensor) -> Tensor:
    """Gumbel noise made of standard normal numbers of one shape.

    -log(-log u) is such noise where u is uniform, as the normal law's Phi(code) is.
    """
    return -torch.log(-torch.special.log_ndtr(code))


def heads(
    raw: Tensor,
    noise: Tensor,
    *,
    widths: Sequence[int],
    scalars: Sequence[bool],
    temperature: float,
    hard: bool,
) -> Tensor:
    """Rows (B, width) of what a network says: tanh, and the Gumbel softmax (Jang et al. 2017).

    Args:
        raw: (B, width).
        noise: Gumbel noise (B, width).
        widths: Of the parts of a row.
        scalars: Which parts are numbers; the others are one-hot.
        temperature: Of the softmax.
        hard: Whether the likeliest category is taken whole.
    """
    made = []
    # Column by column: softmax over a few numbers that lie side by side takes thrice as long.
    logits = ((raw + noise) / temperature).T.contiguous()
    for plain, moved, scalar in zip(raw.T.split(widths), logits.split(widths), scalars):
        if scalar:
            made.append(plain.tanh())
        elif hard:
            made.append(one_hot(moved.argmax(0), len(moved)).T.to(raw.dtype))
        else:
            made.append(moved.softmax(0))
    return torch.cat(made).T
