"""Dress a person in a garment with a trained try-on model."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from zerosum.core.draw import answer_of, check_finite, sampling
from zerosum.data.pixels import over_white
from zerosum.errors import UserError
from zerosum.modalities.images.dressed import GIVEN, silhouette
from zerosum.modalities.images.figures import BLANK
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.pictures.taken import TakenPicture, taken
from zerosum.pipelines.restore.inpaint import hole_of

LEAST = 0.01
"""Share of a person that must be blank, at least."""
NEAR = 6
"""Levels that a blank pixel may be off, as after JPEG."""


@dataclass
class Dresser:
    """A try-on model, on pictures of any size.

    A model knows the size of its training alone: person and garment are brought to it, and the
    answer back to the person's.

    Attributes:
        generator: The trained model.
        notes: What was decided for the newest picture, one line each.
    """

    generator: Generator
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        given = self.generator.game.inputs()
        if set(given) != set(GIVEN):
            raise UserError(
                f"{self.generator.name} is a {self.generator.recipe.system}, which dresses "
                "nobody: give a run of tryon"
            )
        _, height, width = given["input"].shape
        assert height is not None and width is not None
        self.size = height, width

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto", module: str | None = None) -> Self:
        """Load a run's folder or an exported model's folder.

        Raises:
            UserError: The folder holds neither, or a model that dresses nobody.
        """
        return cls(Generator.load(path, device=device, module=module))

    def __call__(
        self,
        person: Image.Image | TakenPicture,
        garment: Image.Image | TakenPicture,
        region: Image.Image | TakenPicture | None = None,
        garment_mask: Image.Image | TakenPicture | None = None,
    ) -> Image.Image:
        """The person in the garment, of the person's size, with its alpha.

        Args:
            person: With the torso and the arms in middle grey, as `agnostic` of VITON-HD; or any
                photo, with their region.
            garment: Flat, on white or transparent.
            region: Of the person's size, light where torso and arms are, which are made grey.
            garment_mask: Light where the garment is; None tells it by the white or the alpha.

        Raises:
            UserError: Nothing of the person is blank, sizes differ, there is no garment in its
                picture, or the answer is no number.
        """
        given = person if isinstance(person, TakenPicture) else taken(person)
        self.notes = []
        seen = self._blanked(given, region)
        cloth = garment if isinstance(garment, TakenPicture) else taken(garment, "the garment")
        flat = cloth.answered(cloth.seen(3), keep_grey=False)  # a picture with its alpha
        shape = garment_mask or taken(silhouette(flat))
        shape = shape if isinstance(shape, TakenPicture) else taken(shape)
        if shape.size != cloth.size:
            raise UserError(f"{cloth.name} and its mask differ in size: give a mask of its size")
        if int(shape.colour.max()) <= 127:
            raise UserError(
                f"{cloth.name} shows no garment on white: give one on white or transparent, or a "
                "mask of it with --garment-mask"
            )
        made = self._network(
            {
                "input": self._sized(seen),
                "garment": self._sized(taken(over_white(flat)).seen(3)),
                "garment_mask": self._sized(shape.seen(1)),
            }
        )
        check_finite({"answer": made}, self.generator.name)
        if given.size != self.size:
            self.notes.append(
                f"at the model's size of {self.size[1]}x{self.size[0]} pixels, and back to "
                f"{given.size[1]}x{given.size[0]}: it knows no other"
            )
            made = interpolate(made, given.size, mode="bicubic", antialias=True).clamp(-1, 1)
        return given.answered(made, keep_grey=False)

    def _blanked(self, person: TakenPicture, region: Image.Image | TakenPicture | None) -> Tensor:
        """The person (1, 3, H, W) in [-1, 1] with the region grey."""
        seen = person.seen(3)
        if region is not None:
            shape = region if isinstance(region, TakenPicture) else taken(region, "the region")
            hidden = torch.from_numpy(hole_of(person, shape))
            return torch.where(hidden, torch.tensor(BLANK / 127.5 - 1), seen)
        levels = (seen + 1) * 127.5
        blank = ((levels - BLANK).abs() <= NEAR).all(1).float().mean()
        if float(blank) < LEAST:
            raise UserError(
                f"{person.name} is blank nowhere: make torso and arms grey (128, 128, 128), or "
                "give a picture that is light there with --region"
            )
        return seen

    def _sized(self, pictures: Tensor) -> Tensor:
        if tuple(pictures.shape[2:]) == self.size:
            return pictures
        return interpolate(pictures, self.size, mode="bicubic", antialias=True).clamp(-1, 1)

    @torch.no_grad()
    def _network(self, given: dict[str, Tensor]) -> Tensor:
        game = self.generator.game
        with sampling(game):
            person, garment, mask = (given[name].to(game.device) for name in GIVEN)
            made = game.sample(1, input=person, garment=garment, garment_mask=mask)
            return answer_of(game, made).float().cpu()
