"""Configurations of games about series: what the data decide is filled in."""

from __future__ import annotations

from typing import ClassVar, Self

from zerosum.config import Whole
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError


class SeriesConfig(GameConfig):
    """Configuration of a game about series."""

    needs: ClassVar[tuple[str, ...]] = ("series",)
    plain: ClassVar[bool] = True
    """Whether it learns nothing but series of one length."""

    length: Whole = 0
    """Steps; taken from the data."""
    channels: Whole = 0
    """Numbers a step; taken from the data."""
    labels: bool = False
    """Tell the networks the class of a series; needs data with labels."""
    classes: Whole = 0
    """Number of classes with `labels`, taken from the data; 0 without."""

    def matched(self, spec: DataSpec) -> Self:
        length, channels = spec.shape("series")
        if self.plain and "steps" in spec.fields:
            raise UserError(
                f"this model learns series of one length, and these have up to {length:,} steps: "
                "take doppelganger, or cut them to one length"
            )
        if self.plain and "attributes" in spec.fields:
            raise UserError(
                "this model learns no attributes: take doppelganger, or leave data.attributes out"
            )
        if self.labels and spec.classes < 2:
            raise UserError(
                "model.labels=true needs series with labels, and these have none: choose a "
                "labelled set such as gunpoint, or leave it out"
            )
        classes = spec.classes if self.labels else 0
        found = {"length": length, "channels": channels, "classes": classes}
        return self.model_copy(update=found)
