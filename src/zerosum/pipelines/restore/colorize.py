"""Colour grey pictures of any size with a trained model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from zerosum.core.draw import answer_of, check_finite, sampling
from zerosum.errors import UserError
from zerosum.modalities.images.greyed import GreyedCodec
from zerosum.modalities.images.lab import joined, parted
from zerosum.modalities.images.sized import AnySize, whole
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.pictures.taken import TakenPicture, taken

LONGEST = 4
"""The longer side of a working size is at most so many times the trained one."""
BAND = 2**22
"""Pixels whose lightness and colours are put together at once."""


@dataclass
class Colorizer:
    """A colouring model, on pictures of any size.

    The model looks at all of a picture, and knows pictures of the trained size: a and b of
    CIE L*a*b* are made at a working size whose shorter side is the trained one, enlarged, and put
    to the picture's own lightness, which keeps its full size.

    Attributes:
        generator: The trained model.
        notes: What was decided for the newest picture, one line each.
    """

    generator: Generator
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        game, codec = self.generator.game, self.generator.codec
        if not isinstance(codec, GreyedCodec) or not isinstance(game, AnySize):
            raise UserError(
                f"{self.generator.name} is a {self.generator.recipe.system}, which colours no "
                "pictures: give a run of colorize"
            )
        self.sight, self.side = game.sight(), min(codec.framing.size)

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto") -> Self:
        """Load a run's folder or an exported model's folder.

        Raises:
            UserError: The folder holds neither, or a model that colours nothing.
        """
        return cls(Generator.load(path, device=device))

    def __call__(self, picture: Image.Image | TakenPicture) -> Image.Image:
        """A picture in colour, of its size, with its lightness and its alpha.

        Args:
            picture: Grey, or in colours, which are left out first.

        Raises:
            UserError: The answer is no number.
        """
        given = picture if isinstance(picture, TakenPicture) else taken(picture)
        self.notes = []
        if bool((given.colour != given.colour[:1]).any()):
            self.notes.append("was in colour: its colours are left out and made anew")
        bands = given.seen(3).split(max(1, BAND // given.size[1]), dim=2)
        light = torch.cat([parted(band)[0] for band in bands], dim=2)
        colours = self._coloured(light)
        check_finite({"answer": colours}, self.generator.name)
        rows = bands[0].shape[2]
        answer = [joined(*part) for part in zip(light.split(rows, 2), colours.split(rows, 2))]
        return given.answered(torch.cat(answer, dim=2), keep_grey=False)

    def _coloured(self, light: Tensor) -> Tensor:
        """Scaled a and b (1, 2, H, W) for a lightness (1, 1, H, W), made at the working size."""
        size = working_size((light.shape[2], light.shape[3]), self.side)
        if size == tuple(light.shape[2:]):
            return self._network(light)
        self.notes.append(
            f"a and b are made at a working size of {size[1]}x{size[0]} pixels, as in training, "
            "and enlarged; the lightness keeps its size"
        )
        seen = interpolate(light, size, mode="bicubic", antialias=True).clamp(-1, 1)
        made = self._network(seen)
        return interpolate(made, tuple(light.shape[2:]), mode="bicubic", antialias=True)

    def _network(self, seen: Tensor) -> Tensor:
        game = self.generator.game

        def colour(pictures: Tensor) -> Tensor:
            with sampling(game):
                made = answer_of(game, game.sample(1, input=pictures.to(game.device)))
            return parted(made)[1].cpu()

        return whole(colour, seen, self.sight)


def working_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """The (height, width) at which a picture is coloured: of its shape, the shorter one of `side`.

    Very long pictures are squeezed to `LONGEST` times that.
    """
    height, width = (min(max(side, round(side * one / min(size))), LONGEST * side) for one in size)
    return height, width
