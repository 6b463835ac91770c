"""A network that remembers the weights it had, and runs with any mixture of both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call


class Remembered(nn.Module):
    """A network with the weights that it had when `remember` was called last.

    What is remembered is saved with the network, gets no gradient and is in no average. Running
    statistics of a normalisation are remembered too: they belong to the weights that they were
    taken under. Between the two lies network interpolation (Wang et al. 2018, arXiv:1809.00219,
    eq. 4).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        for name, value in self._numbers():
            self.register_buffer(_key(name), value.clone())

    def _numbers(self) -> Iterator[tuple[str, Tensor]]:
        """Weights and running statistics as they are now, by name; no counts."""
        for name, weight in self.network.named_parameters():
            yield name, weight.detach()
        for name, statistic in self.network.named_buffers():
            if statistic.is_floating_point():
                yield name, statistic

    @torch.no_grad()
    def remember(self) -> None:
        """Remember the weights as they are now."""
        for name, value in self._numbers():
            self.get_buffer(_key(name)).copy_(value)

    def forward(self, *inputs: Tensor, strength: float = 1.0) -> Any:
        """What the network makes with (1 - strength) remembered + strength present weights."""
        if strength == 1.0:
            return self.network(*inputs)
        mixed = {
            name: torch.lerp(self.get_buffer(_key(name)), value, strength)
            for name, value in self._numbers()
        }
        return functional_call(self.network, mixed, inputs)


def _key(name: str) -> str:
    return "was_" + name.replace(".", "_")
