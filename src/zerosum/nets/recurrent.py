"""Recurrent networks from series to series."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

CellName = Literal["gru", "lstm"]


class Recurrent(nn.Module):
    """Layers of cells and a linear one for each step: (B, T, before) to (B, T, after)."""

    def __init__(
        self,
        before: int,
        after: int,
        *,
        width: int,
        layers: int = 1,
        cell: CellName = "gru",
        final: nn.Module | None = None,
    ) -> None:
        """Build the layers.

        Args:
            before: Numbers a step that come in.
            after: Numbers a step that come out.
            width: Of the hidden state.
            layers: How many.
            cell: `gru` (Cho et al. 2014, arXiv:1406.1078) or `lstm`.
            final: Applied at last, such as a sigmoid.
        """
        super().__init__()
        kind = {"gru": nn.GRU, "lstm": nn.LSTM}[cell]
        self.cells = kind(before, width, num_layers=layers, batch_first=True)
        self.last = nn.Linear(width, after)
        self.final = final or nn.Identity()

    def forward(self, series: Tensor) -> Tensor:
        return self.final(self.last(self.cells(series)[0]))
