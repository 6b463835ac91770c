"""Which band of frequencies each layer of StyleGAN3's generator has.

Karras et al. 2021, arXiv:2106.12423, section 3.2 (configs C and F) and appendix C.

The unit of length is that of a square picture of `rate` pixels, the smallest power of two that is
not under the shorter side. A side need not be it, if at the coarsest layer it still comes to
whole pixels: 28x28 is seen at rate 32, and begins as 14x14 in a layer of rate 16.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zerosum.errors import UserError


@dataclass(frozen=True)
class Band:
    """What one layer gives out.

    Attributes:
        rate: Samples per unit of length.
        cutoff: Frequency up to which its signal goes.
        half_width: Of the band in which the filter falls off.
        size: (height, width) of its maps, with the margin.
        maps: How many.
    """

    rate: float
    cutoff: float
    half_width: float
    size: tuple[int, int]
    maps: int


@dataclass(frozen=True)
class Bands:
    """The bands of a network, the input's first, then those of its layers, the last the image."""

    bands: list[Band]
    critical: int

    @classmethod
    def of(
        cls,
        size: tuple[int, int],
        channels: int,
        *,
        base: int = 32768,
        most: int = 512,
        layers: int = 14,
        critical: int = 2,
        first_cutoff: float = 2.0,
        first_stopband: float = 2**2.1,
        last_stopband: float = 2**0.3,
        margin: int = 10,
    ) -> Bands:
        """Section 3.2, "flexible layer specifications", and appendix C.

        Args:
            size: (height, width) of the image in pixels.
            channels: Of the image.
            base: Maps of a layer times twice its cutoff.
            most: Largest number of maps.
            layers: How many, the last to colours not counted.
            critical: Of them, those at the end whose band is as wide as the grid allows.
            first_cutoff: Of the first layer.
            first_stopband: Frequency from which the first layer lets nothing pass.
            last_stopband: The same of the last, as a multiple of its cutoff.
            margin: Pixels around the picture.

        Raises:
            UserError: A side does not come to whole pixels in the coarsest layer.
        """
        side = _side(size)
        exponents = np.minimum(np.arange(layers + 1) / (layers - critical), 1)
        cutoffs, stops = _progression(
            (first_cutoff, first_stopband), (side / 2, side / 2 * last_stopband), exponents
        )
        found = _bands(size, channels, cutoffs, stops, base=base, most=most, margin=margin)
        # The input has the first layer's band.
        return cls([found[0], *found], critical)

    def grown(
        self,
        size: tuple[int, int],
        channels: int,
        *,
        base: int = 32768,
        most: int = 512,
        layers: int = 7,
        last_stopband: float = 2**0.3,
        margin: int = 10,
    ) -> Bands:
        """The bands of a larger picture, of which the first are these.

        Sauer, Schwarz and Geiger 2022, arXiv:2202.00273, section 3.3: the critical layers and the
        one to colours are cut off, and as many as `layers`, with one to colours, grow from there.

        Args:
            size: (height, width) of the image in pixels, larger than before.
            channels: Of the image.
            base: Maps of a new layer times twice its cutoff.
            most: Largest number of maps of a new layer.
            layers: New ones, the last to colours not counted.
            last_stopband: As a multiple of the last layer's cutoff.
            margin: Pixels around the picture.
        """
        kept = self.bands[: -self.critical - 1]
        side, last = _side(size), kept[-1]
        exponents = np.minimum(np.arange(1, layers + 2) / (layers - self.critical + 1), 1)
        cutoffs, stops = _progression(
            (last.cutoff, last.cutoff + last.half_width),
            (side / 2, side / 2 * last_stopband),
            exponents,
        )
        found = _bands(size, channels, cutoffs, stops, base=base, most=most, margin=margin)
        return Bands([*kept, *found], self.critical)


def _side(size: tuple[int, int]) -> int:
    """The smallest power of two that is not under the shorter side."""
    return 1 << (min(size) - 1).bit_length()


def _progression(
    first: tuple[float, float], last: tuple[float, float], exponents: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Cutoffs and stopbands from the first to the last pair of them, geometrically."""
    cutoffs, stops = (a * (b / a) ** exponents for a, b in zip(first, last))
    return cutoffs, stops


def _bands(
    size: tuple[int, int],
    channels: int,
    cutoffs: np.ndarray,
    stops: np.ndarray,
    *,
    base: int,
    most: int,
    margin: int,
) -> list[Band]:
    """The bands of layers of some cutoffs, the last one to colours.

    Raises:
        UserError: A side does not come to whole pixels in the first of them.
    """
    side, last = _side(size), len(cutoffs) - 1
    rates = np.exp2(np.ceil(np.log2(np.minimum(stops * 2, side))))
    halves = np.maximum(stops, rates / 2) - cutoffs
    maps = np.rint(np.minimum(base / 2 / cutoffs, most)).astype(int)
    for length in size:
        if length * int(rates[0]) % side:
            step = side // int(rates[0])
            raise UserError(
                f"a side of {length} pixels is no multiple of {step}, which the layers of "
                f"stylegan3 need: set data.size={round(length / step) * step}"
            )
    found = []
    for k in range(last + 1):
        shape = [int(length * rates[k]) // side + 2 * margin for length in size]
        if k >= last - 1:
            shape = list(size)
        count = channels if k == last else int(maps[k])
        found.append(
            Band(float(rates[k]), float(cutoffs[k]), float(halves[k]), (shape[0], shape[1]), count)
        )
    return found
