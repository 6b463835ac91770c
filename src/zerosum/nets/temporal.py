"""Temporal convolutional networks: stacked dilated causal convolutions.

Van den Oord et al. 2016 (WaveNet, arXiv:1609.03499) and Bai, Kolter and Koltun 2018,
arXiv:1803.01271; in the form of Wiese, Knobloch, Korn and Kretschmer 2020 (Quant GANs),
arXiv:1907.06673, appendix B.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


class TemporalBlock(nn.Module):
    """Two causal convolutions of one dilation with PReLU, and a shortcut."""

    def __init__(self, before: int, after: int, dilation: int, kernel: int = 2) -> None:
        super().__init__()
        self.reach = dilation * (kernel - 1)
        self.first = nn.Conv1d(before, after, kernel, dilation=dilation)
        self.second = nn.Conv1d(after, after, kernel, dilation=dilation)
        self.bends = nn.ModuleList([nn.PReLU(), nn.PReLU()])
        self.shortcut = nn.Conv1d(before, after, 1) if before != after else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (B, after, T) of maps (B, before, T); no step sees a later one."""
        x = self.bends[0](self.first(pad(maps, (self.reach, 0))))
        x = self.bends[1](self.second(pad(x, (self.reach, 0))))
        return x + self.shortcut(maps)


class TemporalNet(nn.Module):
    """Blocks of dilations 1, 2, 4, ..., all of which the last layer sees.

    Attributes:
        field: Steps that an output depends on, itself among them.
    """

    def __init__(self, before: int, after: int, *, width: int, blocks: int) -> None:
        """Build the layers.

        Args:
            before: Numbers a step that come in.
            after: Numbers a step that come out.
            width: Maps of a block.
            blocks: How many; each doubles the dilation.
        """
        super().__init__()
        widths = [before, *[width] * blocks]
        self.blocks = nn.ModuleList(
            TemporalBlock(narrow, width, 2**number) for number, narrow in enumerate(widths[:-1])
        )
        self.last = nn.Conv1d(width, after, 1)
        self.field = 1 + 2 * (2**blocks - 1)

    def forward(self, series: Tensor) -> Tensor:
        """Series (B, T, after) of series (B, T, before)."""
        x = series.transpose(1, 2)
        total = torch.zeros((), device=series.device)
        for block in self.blocks:
            x = block(x)
            total = total + x
        return self.last(total).transpose(1, 2)
