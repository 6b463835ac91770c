"""Self-attention on two-dimensional maps.

Zhang, Goodfellow, Metaxas and Odena 2019, "Self-Attention Generative Adversarial Networks",
arXiv:1805.08318, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d


class SelfAttention(nn.Module):
    """Each place of a map looks at all places, and adds what it finds to itself.

    y = x + gamma * o(sum_i softmax_i(f(x_i) . g(x_j)) h(x_i)), with 1x1 convolutions f, g (an
    eighth of the features), h and o. The learned gamma starts at 0, so that a network begins
    with local evidence only. No scale in the softmax, as in the paper.

    Attributes:
        gamma: The weight of what attention adds, a scalar.
    """

    def __init__(self, features: int, inner: int = 0, pool: bool = False) -> None:
        """Build the layer.

        Args:
            features: Feature maps in and out.
            inner: Feature maps that are gathered (h); 0 takes half of `features`.
            pool: Halve the map that is looked at by 2x2 max pooling, as the official release
                does; a quarter of the memory. Needs maps of at least 2x2.
        """
        super().__init__()
        narrow, inner = max(features // 8, 1), inner or max(features // 2, 1)
        self.pool = pool
        self.key = nn.Conv2d(features, narrow, 1, bias=False)
        self.query = nn.Conv2d(features, narrow, 1, bias=False)
        self.value = nn.Conv2d(features, inner, 1, bias=False)
        self.out = nn.Conv2d(inner, features, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Maps (B, features, H, W) to maps of the same shape."""
        attended = self.value_map(x).flatten(2) @ self.weights(x)
        return x + self.gamma * self.out(attended.unflatten(2, x.shape[2:]))

    def weights(self, x: Tensor) -> Tensor:
        """How much place i of what is looked at counts at place j: (B, I, J), summing to 1
        over i."""
        # Written out: torch's fused attention cannot be differentiated twice (penalties).
        key, query = self._seen(self.key(x)).flatten(2), self.query(x).flatten(2)
        return torch.softmax(key.transpose(1, 2) @ query, dim=1)

    def value_map(self, x: Tensor) -> Tensor:
        return self._seen(self.value(x))

    def _seen(self, x: Tensor) -> Tensor:
        return max_pool2d(x, 2) if self.pool else x
