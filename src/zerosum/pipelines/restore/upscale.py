"""Enlarge pictures of any size with a trained super-resolution model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from zerosum.core.draw import check_finite
from zerosum.errors import UserError
from zerosum.modalities.images.sized import AnySize
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.pictures.taken import TakenPicture, taken
from zerosum.pipelines.translate import Translator


@dataclass
class Upscaler(Translator):
    """A super-resolution model, on pictures of any size; large ones go through it in tiles.

    Attributes:
        half: Compute in 16 bits where that is exact enough: half the memory, and faster on a GPU.
    """

    half: bool = False

    def __post_init__(self) -> None:
        game = self.generator.game
        if not isinstance(game, AnySize) or game.sight().scale < 2:
            raise UserError(
                f"{self.generator.name} is a {self.generator.recipe.system}, which enlarges "
                "nothing: give a run of srgan, esrgan or real_esrgan"
            )
        super().__post_init__()
        self.scale = game.sight().scale

    @classmethod
    def of(cls, generator: Generator, *, strength: float = 1.0, **settings: object) -> Upscaler:
        """A loaded model.

        Args:
            generator: The model.
            strength: 0 is the network of the first phase, smooth and safe; 1 that of the game.
            **settings: As the attributes.

        Raises:
            UserError: The model enlarges nothing, or had one phase and is asked for a mixture.
        """
        options: Mapping[str, object] = {} if strength == 1.0 else {"strength": strength}
        made = cls(generator, options=options, **settings)  # pyright: ignore[reportArgumentType]
        if options and not getattr(generator.recipe.model, "warm_up", 0):
            raise UserError(
                f"{generator.name} was trained in one phase, so there is nothing to mix: leave "
                "--strength out"
            )
        return made

    def __call__(self, picture: Image.Image | TakenPicture) -> Image.Image:
        """One picture, `scale` times as large each way; grey stays grey, alpha grows with it.

        Raises:
            UserError: The answer is no number.
        """
        given = picture if isinstance(picture, TakenPicture) else taken(picture)
        self.notes = []
        channels = self.field.shape[0]
        assert channels is not None
        answer = self._sized(given.seen(channels).to(self.generator.game.device))
        check_finite({"answer": answer}, self.generator.name)
        return given.answered(answer.cpu(), keep_grey=True)

    def _network(self, pictures: Tensor) -> Tensor:
        if not self.half:
            return super()._network(pictures)
        kind = pictures.device.type
        precision = torch.float16 if kind == "cuda" else torch.bfloat16
        with torch.autocast(kind, dtype=precision):
            return super()._network(pictures).float()
