"""What games whose samples are made of styles offer to tools that look into their latent space."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor

from zerosum.data.fields import Batch


@runtime_checkable
class Styled(Protocol):
    """A `LatentGame` that maps codes to styles first, one for each layer of its generator.

    Karras, Laine and Aila 2019, arXiv:1812.04948. `decode` is `of_styles` of `to_styles`,
    truncated as the options of the game say.
    """

    def to_styles(self, z: Tensor, condition: Batch) -> Tensor:
        """Styles (n, layers, width) of codes (n, ...) under conditions (n, ...)."""
        ...

    def of_styles(self, styles: Tensor, condition: Batch) -> dict[str, Tensor]:
        """Samples of styles (n, layers, width)."""
        ...

    def mean_style(self) -> Tensor:
        """The mean style (width,), which truncation goes towards."""
        ...

    def style_weights(self) -> list[Tensor]:
        """What each layer makes of its style: matrices (numbers, width), in the layers' order."""
        ...


@runtime_checkable
class Movable(Protocol):
    """A game of styles whose samples can be moved by a transform of their coordinates."""

    def moved(self, styles: Tensor, condition: Batch, transform: Tensor) -> dict[str, Tensor]:
        """Samples of styles (n, layers, width), what they show moved.

        Args:
            styles: Their styles.
            condition: Conditions (n, ...).
            transform: (3, 3) or (n, 3, 3): what is shown at a point p comes to the transform
                times p. Points are columns (x, y, 1), x to the right, y down, in units of half
                the shorter side, the middle at 0.
        """
        ...
