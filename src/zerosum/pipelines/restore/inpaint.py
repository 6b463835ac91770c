"""Fill holes in pictures of any size with a trained inpainting model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from zerosum.core.draw import answer_of, check_finite, sampling
from zerosum.errors import UserError
from zerosum.modalities.images.sized import AnySize, bytes_per_pixel, grown
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.pictures.taken import TakenPicture, take, taken

GIB = 2**30
PROBE = 64
"""Pixels each way, at least, of the picture that memory is measured on."""


@dataclass
class Inpainter:
    """An inpainting model, on pictures of any size.

    Attributes:
        generator: The trained model.
        feather: Pixels around a hole over which what was made fades into what was there; beyond
            them nothing changes.
        memory: GiB that the network may take; larger pictures are filled at a working size.
        notes: What was decided for the newest picture, one line each.
    """

    generator: Generator
    feather: int = 3
    memory: float = 2.0
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        game = self.generator.game
        if set(game.inputs()) != {"input", "mask"} or not isinstance(game, AnySize):
            raise UserError(
                f"{self.generator.name} is a {self.generator.recipe.system}, which fills no "
                "holes: give a run of lama"
            )
        self.sight = game.sight()
        self.channels = game.inputs()["input"].shape[0] or 3
        self._weight: float | None = None

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto", **settings: float) -> Self:
        """Load a run's folder or an exported model's folder.

        Raises:
            UserError: The folder holds neither, or a model that fills no holes.
        """
        return cls(Generator.load(path, device=device), **settings)  # pyright: ignore[reportArgumentType]

    def __call__(
        self, picture: Image.Image | TakenPicture, mask: Image.Image | TakenPicture
    ) -> Image.Image:
        """A picture with its hole filled, of its size, with its alpha.

        Args:
            picture: What lies in the hole does not matter.
            mask: Of the same size, light where the hole is.

        Raises:
            UserError: The two differ in size, the mask is all or nothing, or the answer is no
                number.
        """
        given = picture if isinstance(picture, TakenPicture) else taken(picture)
        shape = mask if isinstance(mask, TakenPicture) else taken(mask, "the mask")
        hole = hole_of(given, shape)
        self.notes = []
        seen, where = given.seen(self.channels), torch.from_numpy(hole)[None, None].float()
        made = self._filled(seen, where)
        check_finite({"answer": made}, self.generator.name)
        share = feathered(where, self.feather)
        answer = seen * (1 - share) + made * share
        return given.answered(answer, keep_grey=True)

    def _filled(self, seen: Tensor, where: Tensor) -> Tensor:
        """The answer (1, C, H, W) to a picture and its hole (1, 1, H, W), at a working size if it
        must be."""
        size = (seen.shape[2], seen.shape[3])
        most, count = self._pixels(), size[0] * size[1]
        if count <= most:
            return self._network(seen, where)
        shrunk = math.sqrt(most / count)
        small = [max(self.sight.step, int(side * shrunk)) for side in size]
        self.notes.append(
            f"filled at a working size of {small[1]}x{small[0]} pixels: the model looks at all of "
            f"a picture, and {self.memory:g} GiB hold no more"
        )
        less = interpolate(seen, small, mode="bicubic", antialias=True).clamp(-1, 1)
        # A pixel that is in part a hole is one.
        hole = (interpolate(where, small, mode="bilinear", antialias=True) > 0).float()
        made = self._network(less, hole)
        return interpolate(made, size, mode="bicubic", antialias=True).clamp(-1, 1)

    def _pixels(self) -> int:
        """Pixels that the memory holds, measured once on a small picture."""
        if self._weight is None:
            side = -(-PROBE // self.sight.step) * self.sight.step
            probe = torch.zeros(1, self.channels, side, side)
            hole = torch.zeros(1, 1, side, side)
            self._weight = bytes_per_pixel(lambda one: self._network(one, hole), probe)
        return int(self.memory * GIB / self._weight)

    @torch.no_grad()
    def _network(self, seen: Tensor, where: Tensor) -> Tensor:
        game, size = self.generator.game, seen.shape[2:]
        large = grown(seen, self.sight.step).to(game.device)
        mask = grown(where, self.sight.step).to(game.device) * 2 - 1
        with sampling(game):
            made = answer_of(game, game.sample(1, input=large, mask=mask))
        return made[:, :, : size[0], : size[1]].float().cpu()


def hole_of(picture: TakenPicture, mask: TakenPicture) -> NDArray[np.bool_]:
    """Where a mask is light, (H, W).

    Raises:
        UserError: It differs from the picture in size, or is light everywhere or nowhere.
    """
    if picture.size != mask.size:
        first, second = (f"{one.size[1]}x{one.size[0]}" for one in (picture, mask))
        raise UserError(
            f"{picture.name} is {first} and {mask.name} is {second}: give a mask of its size"
        )
    hole = (mask.seen(1)[0, 0] > 0).numpy()
    if hole.all() or not hole.any():
        what = "light everywhere" if hole.all() else "dark everywhere"
        raise UserError(
            f"{mask.name} is {what}: a mask is light where the hole is and dark elsewhere"
        )
    return hole


def feathered(where: Tensor, feather: int) -> Tensor:
    """How much of what was made is taken, (1, 1, H, W): 1 in the hole, falling to 0 around it.

    Args:
        where: The hole, (1, 1, H, W), 1 in it and 0 elsewhere.
        feather: Pixels over which it falls, in a straight line.
    """
    share, grows = where, where
    for step in range(1, feather + 1):
        grows = max_pool2d(grows, 3, 1, 1)
        share = torch.maximum(share, grows * (1 - step / (feather + 1)))
    return share


def mask_for(picture: Path, masks: Path) -> TakenPicture:
    """The mask of a picture: the file itself, or that of its name in a folder.

    Raises:
        UserError: It is not there.
    """
    if not masks.is_dir():
        return take(masks)
    found = sorted(masks.glob(f"{picture.stem}.*"))
    if not found:
        raise UserError(f"{masks} holds no mask for {picture.name}: call it {picture.stem}.png")
    return take(found[0])
