"""StyleGAN2's discriminator.

Karras et al. 2020, arXiv:1912.04958, section 4.1 and appendix B: residual blocks (`resnet`), a
smaller image at each resolution (`skip`), or neither (`orig`), filtered halving, and the
deviation within groups of the batch before the last layers. With conditions its output is
projected on what a mapping network makes of them (Karras et al. 2020a, arXiv:2006.06676,
appendix E, after Miyato and Koyama 2018). Its first layers may stay as they are (Mo, Cho and Shin
2020, "Freeze the Discriminator", arXiv:2002.10964).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from zerosum.layers.active import Conv, Dense
from zerosum.layers.minibatch import MinibatchStddev
from zerosum.layers.resample import downsampled, fir
from zerosum.nets.mapping import Mapping
from zerosum.nets.styled import TAPS
from zerosum.nets.stylegan2 import Architecture, Levels

# The words of the authors' release for its layers, by ours.
WORDS = {"sees": "fromrgb", "look": "conv0", "halve": "conv1", "shortcut": "skip"}


class Block(nn.Module):
    """One resolution, halved."""

    filter: Tensor

    def __init__(
        self,
        inputs: int,
        inner: int,
        outputs: int,
        channels: int,
        trained: Iterator[bool],
        *,
        architecture: Architecture,
        kind: str,
        taps: Sequence[float],
        clamp: float | None,
    ) -> None:
        """Build the block.

        Args:
            inputs: Maps that come in; 0 for the first block, which sees the image only.
            inner: Maps between its convolutions.
            outputs: Maps that go out.
            channels: Colour channels.
            trained: For one layer after the other, whether it is trained.
            architecture: How resolutions are joined.
            kind: Name of the activation.
            taps: Low-pass filter of halving.
            clamp: Largest absolute value of a map.
        """
        super().__init__()
        self.architecture = architecture
        self.register_buffer("filter", fir(taps), persistent=False)

        def conv(inputs: int, outputs: int, kernel: int = 3, down: int = 1) -> Conv:
            return Conv(
                inputs, outputs, kernel, kind, down=down, taps=taps, clamp=clamp,
                frozen=not next(trained),
            )  # fmt: skip

        sees = inputs == 0 or architecture == "skip"
        self.sees = conv(channels, inner, kernel=1) if sees else None
        self.look = conv(inner, inner)
        self.halve = conv(inner, outputs, down=2)
        self.shortcut = (
            Conv(inner, outputs, 1, bias=False, down=2, taps=taps, frozen=not next(trained))
            if architecture == "resnet"
            else None
        )

    def forward(self, x: Tensor | None, image: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Maps and image of a resolution to those of half of it."""
        if self.sees is not None and image is not None:
            seen = self.sees(image)
            x = seen if x is None else x + seen
            image = downsampled(image, self.filter) if self.architecture == "skip" else None
        assert x is not None
        if self.shortcut is None:
            return self.halve(self.look(x)), image
        half = math.sqrt(0.5)
        aside = self.shortcut(x, half)
        return aside + self.halve(self.look(x), half), image


class Discriminator(nn.Module):
    """Images (B, channels, H, W) and conditions (B, classes) to logits (B, 1)."""

    def __init__(
        self,
        classes: int,
        channels: int,
        size: tuple[int, int],
        *,
        base: int = 32768,
        most: int = 512,
        architecture: Architecture = "resnet",
        kind: str = "lrelu",
        taps: Sequence[float] = TAPS,
        clamp: float | None = None,
        freeze: int = 0,
        group: int | None = 4,
        deviations: int = 1,
        end_kind: str = "lrelu",
        projection: int | None = None,
        layers: int = 8,
        embedding: int | None = None,
        hidden: int | None = None,
        mapping_kind: str = "lrelu",
        mapping_rate: float = 0.01,
    ) -> None:
        """Build the network.

        Args:
            classes: Numbers in a condition; 0 for none.
            channels: Colour channels.
            size: (height, width) in pixels.
            base: A level's maps times its longer side.
            most: Largest number of maps.
            architecture: How resolutions are joined.
            kind: Name of the activation.
            taps: Low-pass filter of halving.
            clamp: Largest absolute value of a map; None for no bound.
            freeze: How many of the first layers stay as they are.
            group: Samples that the minibatch deviation compares; None for the whole batch.
            deviations: Maps that it adds; 0 for none.
            end_kind: Activation of the last layers.
            projection: Numbers that conditions and images are projected to; None takes the width
                of the smallest map.
            layers: Of the mapping network of conditions.
            embedding: Numbers that a condition becomes; None takes `projection`.
            hidden: Numbers between the mapping's layers; None takes `projection`.
            mapping_kind: The mapping's activation.
            mapping_rate: Multiplier of the mapping's learning rate.

        Raises:
            UserError: The size is not reached by doubling.
        """
        super().__init__()
        self.levels = Levels.of(size, base, most)
        self.architecture = architecture
        widths = self.levels.widths
        top = len(widths) - 1
        trained = (number >= freeze for number in range(5 * len(widths)))
        self.blocks = nn.ModuleList(
            Block(
                0 if k == top else widths[k], widths[k], widths[k - 1], channels, trained,
                architecture=architecture, kind=kind, taps=taps, clamp=clamp,
            )
            for k in range(top, 0, -1)
        )  # fmt: skip
        small, grid = widths[0], self.levels.sizes[0]
        self.projection = (projection or small) if classes else 0
        if classes:
            self.mapping = Mapping(
                0, classes, self.projection, None, layers=layers, embedding=embedding,
                hidden=hidden, kind=mapping_kind, rate=mapping_rate, momentum=None,
            )  # fmt: skip
        skips = architecture == "skip"
        self.sees = Conv(channels, small, 1, end_kind) if skips else None
        self.deviation = MinibatchStddev(group, deviations) if deviations else None
        self.look = Conv(small + deviations, small, 3, end_kind, clamp=clamp)
        self.join = Dense(small * math.prod(grid), small, end_kind)
        self.score = Dense(small, self.projection or 1)

    def forward(self, images: Tensor, c: Tensor | None = None) -> Tensor:
        x, image = None, images
        for block in self.blocks:
            x, image = block(x, image)
        assert x is not None
        if self.sees is not None:
            x = x + self.sees(image)
        if self.deviation is not None:
            x = self.deviation(x)
        x = self.score(self.join(self.look(x).flatten(1)))
        if not self.projection:
            return x
        told = self.mapping(None, c)
        return (x * told).sum(1, keepdim=True) / math.sqrt(self.projection)

    def official_names(self) -> dict[str, str]:
        """Names of the authors' release for each parameter and stored buffer here, to ours."""
        resolutions = [max(size) for size in reversed(self.levels.sizes)]
        last = {"sees": "fromrgb", "look": "conv", "join": "fc", "score": "out"}
        names: dict[str, str] = {}
        for name in [*dict(self.named_parameters()), *dict(self.named_buffers())]:
            head, *rest = name.split(".")
            if rest[-1:] == ["filter"] or head == "filter":
                continue  # follows from the constructor's arguments
            if head == "blocks":
                told = [f"b{resolutions[int(rest[0])]}", WORDS[rest[1]], *rest[2:]]
            elif head == "mapping":
                told = [head, *rest]
                if rest[0] == "layers":
                    told = [head, f"fc{rest[1]}", *rest[2:]]
            else:
                told = [f"b{resolutions[-1]}", last[head], *rest]
            names[".".join(told)] = name
        return names
