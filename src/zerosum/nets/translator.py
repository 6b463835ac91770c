"""From one picture to another through residual blocks: the generator of CycleGAN and CUT.

Johnson, Alahi and Fei-Fei 2016, "Perceptual losses for real-time style transfer and
super-resolution", arXiv:1603.08155, as Zhu, Park, Isola and Efros 2017, "Unpaired image-to-image
translation using cycle-consistent adversarial networks", arXiv:1703.10593, use it (section 4 and
appendix 7.2): c7s1-64, d128, d256, six or nine R256, u128, u64, c7s1-3, with instance
normalisation and reflected edges.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from torch import Tensor, nn

from zerosum.nets.translate import NormName, initialise, norm_layer

Rise = Literal["resize", "transposed"]
"""How maps are doubled: nearest neighbours and a convolution, or a transposed convolution."""


class Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut, edges reflected."""

    def __init__(self, maps: int, norm: NormName) -> None:
        super().__init__()
        normalised = norm_layer(norm)
        self.layers = nn.Sequential(
            _convolution(maps, maps, 3),
            normalised(maps),
            nn.ReLU(),
            _convolution(maps, maps, 3),
            normalised(maps),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.layers(maps)


class ResidualTranslator(nn.Module):
    """Pictures (B, before, H, W) to pictures (B, after, H, W) in [-1, 1], H and W multiples of
    `step`.

    Attributes:
        step: 2 to the number of halvings.
        radius: Pixels to each side that can change one of the answer; None where all can.
        widths: Feature maps after each of the encoder's layers, for heads on top of `features`.
    """

    radius: int | None

    def __init__(
        self,
        before: int,
        after: int,
        *,
        width: int = 64,
        blocks: int = 9,
        halvings: int = 2,
        norm: NormName = "instance",
        rise: Rise = "transposed",
    ) -> None:
        """Build the layers.

        Args:
            before: Channels in.
            after: Channels out.
            width: Feature maps at full size; doubled at each halving.
            blocks: Residual blocks at the smallest size; 9 for 256 pixels, 6 for 128.
            halvings: How often a picture is halved.
            norm: Which normalisation.
            rise: The paper's transposed convolutions, or resizing and a convolution, which leaves
                no checkerboard (Odena, Dumoulin and Olah 2016).
        """
        super().__init__()
        self.step = step = 2**halvings
        # The first 7x7, one pixel of each size on the way down, two 3x3 a block, a pixel of each
        # smaller size on the way up, the last 7x7.
        self.radius = 3 + (step - 1) + 2 * blocks * step + 2 * (step - 1) + 3
        if norm == "instance":  # the statistics of the whole picture
            self.radius = None
        normalised = norm_layer(norm)

        def block(*layers: nn.Module, maps: int) -> nn.Sequential:
            return nn.Sequential(*layers, normalised(maps), nn.ReLU())

        parts: list[nn.Module] = [block(_convolution(before, width, 7), maps=width)]
        self.widths, now = [width], width
        for _ in range(halvings):
            down = nn.Conv2d(now, 2 * now, 3, 2, 1, padding_mode="reflect")
            now *= 2
            parts.append(block(down, maps=now))
            self.widths.append(now)
        parts += [Residual(now, norm) for _ in range(blocks)]
        self.widths += [now] * blocks
        self.encoder = nn.ModuleList(parts)
        rising: list[nn.Module] = []
        for _ in range(halvings):
            rising.append(block(*_rising(now, now // 2, rise), maps=now // 2))
            now //= 2
        self.decoder = nn.Sequential(*rising, _convolution(now, after, 7), nn.Tanh())
        self.apply(initialise)

    def forward(self, pictures: Tensor) -> Tensor:
        maps = pictures
        for part in self.encoder:
            maps = part(maps)
        return self.decoder(maps)

    def features(self, pictures: Tensor, layers: Collection[int]) -> list[Tensor]:
        """Maps (B, widths[layer], h, w) after some of the encoder's layers, in rising order.

        Args:
            pictures: (B, before, H, W).
            layers: Numbers from 0 to len(widths) - 1.
        """
        found, maps = [], pictures
        for number, part in enumerate(self.encoder):
            if number > max(layers):
                break
            maps = part(maps)
            if number in layers:
                found.append(maps)
        return found


def _convolution(before: int, after: int, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, 1, kernel // 2, padding_mode="reflect")


def _rising(before: int, after: int, rise: Rise) -> list[nn.Module]:
    if rise == "transposed":
        return [nn.ConvTranspose2d(before, after, 3, 2, 1, output_padding=1)]
    return [nn.Upsample(scale_factor=2), _convolution(before, after, 3)]
