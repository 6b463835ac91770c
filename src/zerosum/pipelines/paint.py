"""Paint photos from label maps of any size with a trained game."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zerosum.core.draw import check_finite, sampling
from zerosum.errors import UserError
from zerosum.modalities.images.fields import LabelMap
from zerosum.modalities.images.gallery import BadPictureError
from zerosum.modalities.images.label_maps import LabelCodec
from zerosum.modalities.images.pictures import to_pictures
from zerosum.modalities.images.sized import AnySize
from zerosum.pipelines.generate import Generator, check_seed
from zerosum.pipelines.pictures.folder import Answered, OnPicture, answer_all
from zerosum.pipelines.pictures.taken import TakenPicture


class Painter:
    """A trained game that paints label maps.

    Attributes:
        generator: The game.
        codec: Its classes, and how photos are brought to the size of the training.
        trained: (height, width) of that.
    """

    def __init__(self, generator: Generator) -> None:
        """Take a loaded game.

        Raises:
            UserError: It does not paint label maps.
        """
        given, codec = generator.game.inputs().get("input"), generator.codec
        if not isinstance(given, LabelMap) or not isinstance(codec, LabelCodec):
            raise UserError(
                f"{generator.name} is {generator.recipe.system}, which paints no label maps: "
                "train one with  zerosum train spade --data FOLDER"
            )
        self.generator, self.codec, self.trained = generator, codec, given.shape

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto", module: str | None = None) -> Self:
        """Load a run's folder or an exported model's.

        Raises:
            UserError: The folder holds neither, or a game that does not paint.
        """
        return cls(Generator.load(path, device=device, module=module))

    def paint(
        self,
        labels: Image.Image,
        *,
        size: str = "trained",
        seed: int = 0,
        like: Image.Image | None = None,
    ) -> Image.Image:
        """The photo of one label map.

        Args:
            labels: Grey or palette for class numbers, else the classes' colours.
            size: At which it is painted: `trained`, `own`, 128 or 128x192 (height x width).
            seed: Of the style, where the game has styles.
            like: A photo whose style is taken, for games with an image encoder.

        Raises:
            UserError: A value is none of the classes, a wrong size, or a style that the game does
                not take.
        """
        return self._painted(self.numbers(labels, "the label map"), size, seed, like)

    def numbers(self, labels: Image.Image, name: str) -> np.ndarray:
        """Classes (H, W) of a label map, uint8.

        Raises:
            UserError: A value is none of them; name and value are said.
        """
        try:
            return self.codec.classes.number(labels, name)
        except BadPictureError as error:
            raise UserError(f"{error.name}: {error.reason}") from error

    def paint_all(
        self,
        given: Path,
        out: Path,
        *,
        size: str = "trained",
        seed: int = 0,
        like: Image.Image | None = None,
        skip_bad: bool = False,
        on_picture: OnPicture | None = None,
    ) -> Answered:
        """Paint a label map's file, or each of a folder into a folder, which is resumed.

        Args:
            given: A file, or a folder.
            out: The file of the photo, or a folder.
            size: As for `paint`.
            seed: As for `paint`.
            like: As for `paint`.
            skip_bad: Pass over maps that cannot be read or hold wrong values.
            on_picture: Called with maps done and of how many.

        Raises:
            UserError: A map cannot be read, or holds a value that is no class: file and value
                are named.
        """

        def read(path: Path) -> TakenPicture:
            numbers = self.numbers(_stored(path), str(path))
            return TakenPicture(path.name, torch.from_numpy(numbers)[None])

        def task(picture: TakenPicture) -> Image.Image:
            return self._painted(picture.colour[0].numpy(), size, seed, like)

        return answer_all(given, out, task, read=read, skip_bad=skip_bad, on_picture=on_picture)

    def legend(self) -> list[tuple[str, int, str]]:
        """Name, number and colour (#rrggbb) of each class, for people who paint."""
        classes = self.codec.classes
        colours = ["#" + bytes(one.tolist()).hex() for one in classes.colours]
        return list(zip(classes.names, classes.ids, colours))

    def _painted(
        self, numbers: np.ndarray, size: str, seed: int, like: Image.Image | None
    ) -> Image.Image:
        check_seed(seed)
        game = self.generator.game
        height, width = asked_size(numbers.shape, self.trained, size)
        picture = Image.fromarray(numbers).resize((width, height), Image.Resampling.NEAREST)
        labels = torch.from_numpy(np.array(picture))[None]
        if isinstance(game, AnySize):
            step = game.sight().step
            rows, columns = (_repeated(side, step) for side in (height, width))
            labels = labels[:, rows][:, :, columns]
        elif (height, width) != self.trained:
            raise UserError(
                f"{self.generator.recipe.system} paints at {self.trained[0]}x{self.trained[1]} "
                f"only: add --size {self.trained[0]}x{self.trained[1]}"
            )
        rng = torch.Generator().manual_seed(seed)
        with torch.no_grad(), sampling(game):
            style: dict[str, Tensor] = {} if like is None else {"style": self._style(like)}
            made = game.sample(1, rng=rng, input=labels.to(game.device), **style)
        photo = next(iter(made.values())).cpu()
        check_finite({"photo": photo}, self.generator.name)
        return to_pictures(photo[:, :, :height, :width])[0]

    def _style(self, photo: Image.Image) -> Tensor:
        game = self.generator.game
        read: Callable[[Tensor], Tensor] | None = getattr(game, "style_of", None)
        if read is None:
            raise UserError(f"{self.generator.recipe.system} takes no style: leave --like out")
        pixels = torch.from_numpy(self.codec.framing(photo).copy())[None]
        answer = next(field for name, field in self.codec.fields.items() if name != "input")
        return read(answer.finish(pixels).to(game.device))


def asked_size(own: tuple[int, ...], trained: tuple[int, int], asked: str) -> tuple[int, int]:
    """(height, width) at which a picture is worked on.

    Args:
        own: Its own (height, width).
        trained: That of the training.
        asked: `trained` brings the shorter side to the training's, `own` keeps its size, and 128
            or 128x192 (height x width) is what it says.

    Raises:
        UserError: Another word.
    """
    if asked == "own":
        return own[0], own[1]
    if asked == "trained":
        factor = min(trained) / min(own)
        return max(1, round(own[0] * factor)), max(1, round(own[1] * factor))
    height, _, width = asked.lower().partition("x")
    sides = (height, width or height)
    if not all(side.isdecimal() and 1 <= int(side) <= 2**14 for side in sides):
        raise UserError(f"--size {asked}: write trained, own, 128 or 128x192 (height x width)")
    return int(sides[0]), int(sides[1])


def _stored(path: Path) -> Image.Image:
    """A label map as it is stored: the numbers of a palette stay."""
    try:
        with Image.open(path) as opened:
            opened.load()
            return opened.copy()
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there: name a label map or a folder of them") from error
    except Exception as error:  # decoders raise a dozen unrelated types on damaged files
        raise UserError(f"{path} cannot be read as a picture ({error})") from error


def _repeated(side: int, step: int) -> Tensor:
    """Rows up to a multiple of `step`, the last one repeated."""
    return torch.arange(-(-side // step) * step).clamp(max=side - 1)
