"""StyleGAN2's generator.

Karras, Laine, Aittala, Hellsten, Lehtinen and Aila 2020, "Analyzing and Improving the Image
Quality of StyleGAN", arXiv:1912.04958: styles that modulate the weights of each convolution
(section 2), images that are summed up over the resolutions instead of growing (`skip`), residual
branches (`resnet`) or neither (`orig`) (section 4.1). Which tensor is which in the authors'
release is said by `official_names`; weights have its shapes.

A size is reached by doubling the smallest grid whose shorter side is in [4, 8): 32x32 from 4x4,
28x28 from 7x7, 64x96 from 4x6. A level's width is `base` over its longer side, at most `most`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from zerosum.layers.active import Conv
from zerosum.layers.pyramid import doublings
from zerosum.layers.resample import fir, upsampled
from zerosum.nets.mapping import Mapping
from zerosum.nets.styled import TAPS, Colours, Noise, Styled

Architecture = Literal["skip", "resnet", "orig"]
# Words of the authors' tensor names, by ours.
OFFICIAL = {
    "average": "w_avg",
    "start": "const",
    "enlarge": "conv0",
    "refine": "conv1",
    "colours": "torgb",
    "shortcut": "skip",
    "style": "affine",
    "strength": "noise_strength",
    "noise": "noise_const",
}


@dataclass(frozen=True)
class Levels:
    """How a size is reached: the map of each level, small to large, and its width."""

    sizes: list[tuple[int, int]]
    widths: list[int]

    @classmethod
    def of(cls, size: tuple[int, int], base: int, most: int) -> Levels:
        """Levels of an image.

        Args:
            size: (height, width) in pixels.
            base: A level's width times its longer side.
            most: Largest width.

        Raises:
            UserError: The size is not reached by doubling.
        """
        (height, width), doubled = doublings(size)
        sizes = [(height * 2**k, width * 2**k) for k in range(doubled + 1)]
        return cls(sizes, [max(min(base // max(one), most), 1) for one in sizes])


class Block(nn.Module):
    """One resolution."""

    filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        width: int,
        size: tuple[int, int],
        channels: int,
        *,
        last: bool,
        architecture: Architecture = "skip",
        taps: Sequence[float] = TAPS,
        clamp: float | None = None,
        kernel: int = 3,
        noisy: bool = True,
        kind: str = "lrelu",
    ) -> None:
        """Build the block.

        Args:
            inputs: Maps that come in; 0 for the first block, which starts from a constant.
            outputs: Maps that go out.
            width: Numbers in a style.
            size: (height, width) of what goes out.
            channels: Colour channels.
            last: Whether it is the last block, which always gives colours.
            architecture: How resolutions are joined.
            taps: Low-pass filter of enlarging.
            clamp: Largest absolute value of a map.
            kernel: Width of the kernels.
            noisy: Whether noise is added.
            kind: Name of the activation.
        """
        super().__init__()
        self.architecture = architecture

        def styled(inputs: int, up: int = 1) -> Styled:
            return Styled(
                inputs, outputs, width, size, kernel=kernel, up=up, noisy=noisy, kind=kind,
                taps=taps, clamp=clamp,
            )  # fmt: skip

        self.register_buffer("filter", fir(taps), persistent=False)
        if inputs == 0:
            self.start = nn.Parameter(torch.randn(outputs, *size))
        self.enlarge = styled(inputs, up=2) if inputs else None
        self.refine = styled(outputs)
        gives = last or architecture == "skip"
        self.colours = Colours(outputs, channels, width, clamp) if gives else None
        residual = inputs and architecture == "resnet"
        self.shortcut = Conv(inputs, outputs, 1, bias=False, up=2, taps=taps) if residual else None
        self.convolutions = 2 if inputs else 1

    def forward(
        self, x: Tensor | None, image: Tensor | None, styles: Tensor, noise: Noise
    ) -> tuple[Tensor, Tensor | None]:
        """Maps and image of the resolution below, styles (B, convolutions + 1, width), to maps
        and image of this one."""
        if self.enlarge is None or x is None:
            maps = self.refine(self.start.expand(styles.shape[0], -1, -1, -1), styles[:, 0], noise)
        else:
            gain = 1.0 if self.shortcut is None else math.sqrt(0.5)
            maps = self.enlarge(x, styles[:, 0], noise)
            maps = self.refine(maps, styles[:, 1], noise, gain)
            if self.shortcut is not None:
                maps = maps + self.shortcut(x, gain)
        if image is not None:
            image = upsampled(image, self.filter)
        if self.colours is not None:
            shown = self.colours(maps, styles[:, self.convolutions])
            # Images are never of half precision: they are summed over the resolutions.
            shown = shown.to(torch.promote_types(shown.dtype, torch.float32))
            image = shown if image is None else image + shown
        return maps, image


class Synthesis(nn.Module):
    """Styles (B, copies, width) to images (B, channels, H, W)."""

    def __init__(
        self,
        width: int,
        channels: int,
        levels: Levels,
        *,
        architecture: Architecture = "skip",
        taps: Sequence[float] = TAPS,
        clamp: float | None = None,
        kernel: int = 3,
        noisy: bool = True,
        kind: str = "lrelu",
    ) -> None:
        """Build the blocks; arguments as `Block`'s."""
        super().__init__()
        ways = [0, *levels.widths]
        self.blocks = nn.ModuleList(
            Block(
                ways[k], ways[k + 1], width, size, channels, last=k == len(levels.sizes) - 1,
                architecture=architecture, taps=taps, clamp=clamp, kernel=kernel, noisy=noisy,
                kind=kind,
            )
            for k, size in enumerate(levels.sizes)
        )  # fmt: skip
        self.copies = 2 * len(levels.sizes)
        """Styles it takes: one per convolution, and one for the last colours."""

    def forward(self, styles: Tensor, noise: Noise = "const") -> Tensor:
        x = image = None
        first = 0
        for block in self.blocks:
            assert isinstance(block, Block)
            count = block.convolutions
            # Colours are told by the style of the next resolution's first convolution.
            x, image = block(x, image, styles[:, first : first + count + 1], noise)
            first += count
        assert image is not None
        return image

    def style_weights(self) -> list[Tensor]:
        """For each style, the weights (numbers, width) of the layers that it tells."""
        told: list[list[Tensor]] = [[] for _ in range(self.copies)]
        first = 0
        for block in self.blocks:
            assert isinstance(block, Block)
            layers = [block.enlarge, block.refine] if block.enlarge is not None else [block.refine]
            for place, layer in enumerate([*layers, block.colours]):
                if layer is not None:
                    told[first + place].append(layer.style.weight)
            first += block.convolutions
        return [torch.cat(weights) for weights in told]


class Generator(nn.Module):
    """Codes (B, latent) and conditions (B, classes) to images (B, channels, H, W).

    `mapping(z, c)` gives styles, `synthesis(styles)` images.
    """

    def __init__(
        self,
        latent: int,
        classes: int,
        width: int,
        channels: int,
        size: tuple[int, int],
        *,
        layers: int = 8,
        embedding: int | None = None,
        hidden: int | None = None,
        mapping_kind: str = "lrelu",
        mapping_rate: float = 0.01,
        momentum: float = 0.995,
        base: int = 32768,
        most: int = 512,
        architecture: Architecture = "skip",
        taps: Sequence[float] = TAPS,
        clamp: float | None = None,
        kernel: int = 3,
        noisy: bool = True,
        kind: str = "lrelu",
    ) -> None:
        """Build the networks.

        Args:
            latent: Numbers in a code.
            classes: Numbers in a condition; 0 for none.
            width: Numbers in a style.
            channels: Colour channels.
            size: (height, width) in pixels.
            layers: Of the mapping network.
            embedding: Numbers that a condition becomes; None takes `width`.
            hidden: Numbers between the mapping's layers; None takes `width`.
            mapping_kind: The mapping's activation.
            mapping_rate: Multiplier of the mapping's learning rate.
            momentum: Share that the mean style keeps at each step.
            base: A level's maps times its longer side.
            most: Largest number of maps.
            architecture: How resolutions are joined.
            taps: Low-pass filter of enlarging.
            clamp: Largest absolute value of a map; None for no bound.
            kernel: Width of the kernels.
            noisy: Whether noise is added.
            kind: Name of the activation.

        Raises:
            UserError: The size is not reached by doubling.
        """
        super().__init__()
        self.levels = Levels.of(size, base, most)
        self.synthesis = Synthesis(
            width, channels, self.levels, architecture=architecture, taps=taps, clamp=clamp,
            kernel=kernel, noisy=noisy, kind=kind,
        )  # fmt: skip
        self.mapping = Mapping(
            latent, classes, width, self.synthesis.copies, layers=layers, embedding=embedding,
            hidden=hidden, kind=mapping_kind, rate=mapping_rate, momentum=momentum,
        )  # fmt: skip

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        noise: Noise = "const",
    ) -> Tensor:
        return self.synthesis(self.mapping(z, c, truncation, cutoff), noise)

    def official_names(self) -> dict[str, str]:
        """Names of the authors' release for each parameter and stored buffer here, to ours."""
        return official_names(self, [max(size) for size in self.levels.sizes])


def official_names(network: nn.Module, resolutions: Sequence[int]) -> dict[str, str]:
    """Names of the authors' release, to those of a network here.

    Args:
        network: With `mapping.layers` and `blocks`.
        resolutions: Of each block, in their order.
    """
    names: dict[str, str] = {}
    ours = dict(network.named_parameters()) | dict(network.named_buffers())
    for name in ours:
        words = name.split(".")
        if words[-1] == "filter":  # follows from the constructor's arguments
            continue
        told: list[str] = []
        for word in words:
            if word.isdigit() and told[-1] == "blocks":
                told[-1] = f"b{resolutions[int(word)]}"
            elif word.isdigit() and told[-1] == "layers":
                told[-1] = f"fc{word}"
            else:
                told.append(OFFICIAL.get(word, word))
        names[".".join(told)] = name
    return names
