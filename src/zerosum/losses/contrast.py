"""Patches of an answer that resemble the input's patches at the same places: PatchNCE.

Park, Efros, Zhang and Zhu 2020, "Contrastive learning for unpaired image-to-image translation",
arXiv:2007.15651, eq. 3 and 4.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from zerosum.errors import UserError


def patch_nce(queries: Tensor, keys: Tensor, *, temperature: float = 0.07) -> Tensor:
    """Cross entropy of finding each query's own key among the keys of the same picture.

    Args:
        queries: Features (B, S, D) of S places of the answers.
        keys: Features (B, S, D) of the same places of the inputs; no gradient flows into them.
        temperature: tau of eq. 3; 0.07 in the paper.

    Returns:
        A scalar in nats, the mean over places and pictures; log S where nothing can be told.

    Raises:
        UserError: Shapes do not fit, or the temperature is not above 0.
    """
    if queries.shape != keys.shape or queries.ndim != 3:
        raise UserError(
            f"queries and keys must both be (B, S, D), not {tuple(queries.shape)} and "
            f"{tuple(keys.shape)}"
        )
    if temperature <= 0:
        raise UserError(f"the temperature of patch_nce must be above 0, not {temperature}")
    alike = normalize(queries, dim=2) @ normalize(keys.detach(), dim=2).transpose(1, 2)
    own = torch.arange(queries.shape[1], device=queries.device).expand(alike.shape[:2])
    return cross_entropy((alike / temperature).flatten(0, 1), own.flatten())
