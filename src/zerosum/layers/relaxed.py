"""Draws of categories that gradients pass through, one by one and as graphs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot


def gumbel(logits: Tensor, rng: torch.Generator | None = None, *, pairs: bool = False) -> Tensor:
    """Gumbel noise: the likeliest of logits with it is a draw from their probabilities.

    Jang, Gu and Poole 2017, arXiv:1611.01144, section 2.1.

    Args:
        logits: Of any shape; its own and its device are the noise's.
        rng: Where chance comes from; that of the logits' device when None.
        pairs: The same noise in both directions of a pair of nodes, for logits (B, N, N, Y).
    """
    source = logits.device if rng is None else rng.device
    uniform = torch.rand(logits.shape, generator=rng, device=source).to(logits.device)
    noise = _gumbel(uniform)
    if not pairs:
        return noise
    upper = torch.ones(logits.shape[1:3], device=logits.device).triu()[..., None]
    return noise * upper + (noise * upper).transpose(1, 2)


def gumbel_of(normal: Tensor) -> Tensor:
    """Gumbel noise that is a function of standard normal numbers, of their shape.

    The chance of a number to be at most so large becomes that of the noise, so what is normal
    before is Gumbel after.
    """
    return _gumbel((1 + torch.erf(normal / 2**0.5)) / 2)


def _gumbel(uniform: Tensor) -> Tensor:
    return -torch.log(-torch.log(uniform.clamp(1e-9, 1 - 1e-7)))


def _shares(logits: Tensor) -> Tensor:
    """Softmax over the last dimension, which is short: kind by kind it takes a third of the time
    that it takes where the kinds lie side by side."""
    return logits.movedim(-1, 0).contiguous().softmax(0).movedim(0, -1)


def straight_through(p: Tensor) -> Tensor:
    """One-hot rows of the likeliest kinds of p (..., K), with the gradient of p."""
    hard = one_hot(p.argmax(-1), p.shape[-1]).to(p.dtype)
    return hard + p - p.detach() if p.requires_grad else hard  # exact where nobody learns


def relaxed_graph(
    atoms: Tensor, bonds: Tensor, temperature: float = 1.0, *, hard: bool, tied: bool
) -> tuple[Tensor, Tensor]:
    """A graph of logits: laws of nodes and pairs, of which kind 0 means that there is none.

    Args:
        atoms: (B, N, T).
        bonds: (B, N, N, Y), symmetric.
        temperature: Divides the logits.
        hard: One-hot, with the gradient of the probabilities.
        tied: Bind only pairs of which both are there.

    Returns:
        The same shapes, each row summing to 1; no node is bound to itself.
    """
    x, a = (_shares(logits / temperature) for logits in (atoms, bonds))
    if hard:
        x, a = straight_through(x), straight_through(a)
    there = 1 - torch.eye(a.shape[1], device=a.device)
    if tied:
        present = 1 - x[..., 0]
        there = there * present[:, :, None] * present[:, None, :]
    bound = a[..., 1:] * there.expand(a.shape[:3])[..., None]
    return x, torch.cat([1 - bound.sum(-1, keepdim=True), bound], dim=-1)
