"""Translate pictures of any size with a trained model that maps pictures to pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from zerosum.core.draw import answer_of, check_finite, sampling
from zerosum.data.fields import Field
from zerosum.errors import UserError
from zerosum.modalities.images.fields import ImageField
from zerosum.modalities.images.sized import AnySize, Sight, bytes_per_pixel, tiled, whole
from zerosum.pipelines.generate import Generator, check_seed
from zerosum.pipelines.pictures.taken import TakenPicture, taken

GIB = 2**30
LARGEST_TILE = 512
"""Pixels each way of a tile, without what is around it."""
PROBE = 64
"""Pixels each way, at least, of the picture that memory is measured on."""


@dataclass
class Translator:
    """A model that maps pictures, on pictures of any size.

    Attributes:
        generator: The trained model.
        seed: Of what it draws on the way.
        options: Settings of sampling, by name.
        memory: GiB that the network may take for one picture.
        notes: What was decided for the newest picture, one line each.
    """

    generator: Generator
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    memory: float = 2.0
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        game, name = self.generator.game, self.generator.recipe.system
        check_seed(self.seed)
        self._options = self.generator.options(self.options)
        with sampling(game, self._options):
            given = game.inputs()
        shown = given.get("input")
        if set(given) != {"input"} or not isinstance(shown, ImageField):
            needs = f"it needs {', '.join(given)}" if given else "it draws them out of noise"
            raise UserError(
                f"{self.generator.name} is a {name}, which does not map pictures ({needs}): "
                "give a run of pix2pix, cyclegan or cut"
            )
        self.field: Field = shown
        self._weight: float | None = None

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto", **settings: Any) -> Self:
        """Load a run's folder or an exported model's folder.

        Raises:
            UserError: The folder holds neither, or a model that does not map pictures.
        """
        return cls(Generator.load(path, device=device), **settings)

    def __call__(self, picture: Image.Image | TakenPicture) -> Image.Image:
        """The translation of one picture, of its size, with its alpha.

        Raises:
            UserError: The answer is no number.
        """
        given = picture if isinstance(picture, TakenPicture) else taken(picture)
        self.notes = []
        channels = self.field.shape[0]
        assert channels is not None
        answer = self._sized(given.seen(channels).to(self.generator.game.device))
        check_finite({"answer": answer}, self.generator.name)
        return given.answered(answer.cpu(), keep_grey=answer.shape[1] == 1)

    # -- sizes -----------------------------------------------------------------------------

    def _sized(self, pictures: Tensor) -> Tensor:
        """The answer (1, C, H, W) to a picture (1, c, H, W): whole, tiled or at another size."""
        game = self.generator.game
        if not isinstance(game, AnySize):
            height, width = self.field.shape[1:]
            assert height is not None and width is not None
            return self._at(pictures, (height, width), "the model takes no other size")
        sight, most = game.sight(), self._pixels(game.sight())
        count = pictures.shape[2] * pictures.shape[3]
        if count <= most:
            return whole(self._network, pictures, sight)
        if sight.radius is not None:
            side = int(min(LARGEST_TILE, max(sight.step, math.sqrt(most) - 2 * sight.radius)))
            self.notes.append(f"in tiles of {side}x{side}")
            return tiled(self._network, pictures, sight, side)
        shrunk = math.sqrt(most / count)
        size = [max(sight.step, int(side * shrunk)) for side in pictures.shape[2:]]
        why = f"the model looks at all of a picture, and {self.memory:g} GiB hold no more"
        return self._at(pictures, (size[0], size[1]), why)

    def _at(self, pictures: Tensor, size: tuple[int, int], why: str) -> Tensor:
        """The answer at a working size, brought back to the picture's own."""
        if tuple(pictures.shape[2:]) == size:
            return self._network(pictures)
        self.notes.append(f"at a working size of {size[1]}x{size[0]} pixels: {why}")
        seen = interpolate(pictures, size, mode="bicubic", antialias=True).clamp(-1, 1)
        game = self.generator.game
        made = whole(self._network, seen, game.sight() if isinstance(game, AnySize) else Sight())
        back = interpolate(made, tuple(pictures.shape[2:]), mode="bicubic", antialias=True)
        return back.clamp(-1, 1)

    def _pixels(self, sight: Sight) -> int:
        """Pixels of the input that the memory holds, measured once on a small picture."""
        if self._weight is None:
            side = -(-PROBE // sight.step) * sight.step
            probe = torch.zeros(1, self.field.shape[0] or 1, side, side)
            probe = probe.to(self.generator.game.device)
            self._weight = bytes_per_pixel(self._network, probe)
        return int(self.memory * GIB / self._weight)

    @torch.no_grad()
    def _network(self, pictures: Tensor) -> Tensor:
        game = self.generator.game
        rng = torch.Generator().manual_seed(self.seed)
        with sampling(game, self._options):
            return answer_of(game, game.sample(len(pictures), rng=rng, input=pictures))
