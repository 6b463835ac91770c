"""What all configs of pictures have in common."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field as Setting
from pydantic import field_validator

from zerosum.config import Examples, Size, Workers
from zerosum.data.config import DataConfig
from zerosum.data.pixels import Filter, Resize


class PictureSettings(DataConfig):
    """How pictures are brought to one shape, and which of them are used."""

    modality: ClassVar[str] = "images"

    size: Size | None = None
    """(height, width) in pixels, one number for a square; None: as stored."""
    channels: Literal[1, 3, 4] | None = None
    """1 grey, 3 RGB, 4 RGBA; None: 1 or 3, the fewer that loses no colour."""
    resize: Resize = "crop"
    """Other proportions: crop the centre, pad with black, or fit (stretch)."""
    filter: Filter = "lanczos"
    """Resampling filter; it changes scores."""
    flip: bool = False
    """Mirror half of the training pictures, at random."""
    holdout: float = Setting(default=0.1, ge=0, lt=1)
    """Share kept aside where the set has no test part of its own."""
    limit: Examples | None = None
    """Use only that many training pictures, always the same ones."""
    skip_bad: bool = False
    """Leave out unreadable pictures instead of stopping."""
    workers: Workers = 2
    """Processes that decode; only for sets that do not fit in memory."""
    memory: float = Setting(default=2.0, ge=0)
    """GiB; decoded sets up to that size are kept in memory."""

    @field_validator("size")
    @classmethod
    def _positive(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and min(value) < 1:
            raise ValueError(f"data.size={value} must be at least 1 pixel each way")
        return value

    @property
    def prepared(self) -> str:
        if self.size is None:
            return "as stored"
        return f"{self.filter}, {self.resize} to {self.size[0]}x{self.size[1]}"
