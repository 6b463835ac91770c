"""Bring pictures of any size to another domain with a trained game."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Self

import torch
from PIL import Image
from torch import Tensor

from zerosum.core.draw import check_finite, draw, sampling
from zerosum.data.fields import Category
from zerosum.data.source import Source
from zerosum.errors import UserError
from zerosum.modalities.images.domains import DomainCodec
from zerosum.modalities.images.sized import AnySize, whole
from zerosum.pipelines.generate import Generator, check_seed
from zerosum.pipelines.paint import asked_size
from zerosum.pipelines.pictures.folder import Answered, OnPicture, answer_all
from zerosum.pipelines.pictures.taken import TakenPicture, taken


@dataclass(frozen=True)
class ConditionUsed:
    """Whether a game listens to its target domain.

    Attributes:
        targets: Mean difference of pixels, on the scale 0..1, between the answers to one picture
            under two targets; near 0 the condition is ignored.
        input: The same between a picture and its answers under other domains than its own; near 0
            everything is handed through.
        pictures: How many were asked about.
    """

    targets: float
    input: float
    pictures: int


class Restyler:
    """A trained game that brings pictures to one of several domains.

    Attributes:
        generator: The game.
        codec: How pictures are brought to the training's size, and the names of the domains.
    """

    def __init__(self, generator: Generator) -> None:
        """Take a loaded game.

        Raises:
            UserError: It does not restyle.
        """
        if "domain" not in generator.game.inputs() or not isinstance(generator.codec, DomainCodec):
            raise UserError(
                f"{generator.name} is {generator.recipe.system}, which knows no domains: train "
                "one with  zerosum train stargan --data FOLDER"
            )
        self.generator, self.codec = generator, generator.codec
        field = generator.codec.fields["domain"]
        assert isinstance(field, Category)
        self.domain = field

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto", module: str | None = None) -> Self:
        """Load a run's folder or an exported model's.

        Raises:
            UserError: The folder holds neither, or a game that does not restyle.
        """
        return cls(Generator.load(path, device=device, module=module))

    def restyle(
        self,
        picture: Image.Image,
        to: str,
        *,
        reference: Image.Image | None = None,
        seed: int = 0,
        size: str = "trained",
    ) -> Image.Image:
        """A picture brought to a domain.

        Args:
            picture: Of any kind and size.
            to: The domain's name or number.
            reference: A picture of that domain whose style is taken, for games with styles.
            seed: Of the style that is drawn without one.
            size: At which it is worked on: `trained`, `own`, 128 or 128x192 (height x width).

        Raises:
            UserError: There is no such domain, or the game takes no reference.
        """
        domain = self.domain.number(to, "--to")
        return self._restyled(taken(picture), domain, reference, seed, size)

    def restyle_all(
        self,
        given: Path,
        out: Path,
        to: str,
        *,
        reference: Image.Image | None = None,
        seed: int = 0,
        size: str = "trained",
        skip_bad: bool = False,
        on_picture: OnPicture | None = None,
    ) -> Answered:
        """Restyle a file, or each picture of a folder into a folder, which is resumed.

        Args:
            given: A file, or a folder.
            out: The file of the answer, or a folder.
            to: As for `restyle`, like the rest.
            reference: As for `restyle`.
            seed: As for `restyle`.
            size: As for `restyle`.
            skip_bad: Pass over pictures that cannot be read.
            on_picture: Called with pictures done and of how many.

        Raises:
            UserError: As for `restyle`, or a picture cannot be read.
        """
        domain = self.domain.number(to, "--to")

        def task(picture: TakenPicture) -> Image.Image:
            return self._restyled(picture, domain, reference, seed, size)

        return answer_all(given, out, task, skip_bad=skip_bad, on_picture=on_picture)

    def condition_used(self, pictures: int = 64, seed: int = 0) -> ConditionUsed:
        """How much answers change with the target, on held-out pictures of the run's data.

        Raises:
            UserError: The data are gone.
        """
        split = self.generator.open()
        source = split.heldout if split.heldout is not None else split.train
        assert isinstance(source, Source)
        some = source.finished(range(min(pictures, len(source))))
        given, origin = some["input"], some["origin"]
        made = []
        for domain in range(self.domain.count):
            asked = {"input": given, "domain": torch.full((len(given),), domain)}
            drawn = draw(self.generator.game, len(given), seed, asked)
            made.append(next(iter(drawn.values())))
        apart = [(a - b).abs().mean().item() / 2 for a, b in combinations(made, 2)]
        changed = [
            (answers - given)[origin != domain].abs().mean().item() / 2
            for domain, answers in enumerate(made)
            if bool((origin != domain).any())
        ]
        return ConditionUsed(sum(apart) / len(apart), sum(changed) / len(changed), len(given))

    def _restyled(
        self,
        picture: TakenPicture,
        domain: int,
        reference: Image.Image | None,
        seed: int,
        size: str,
    ) -> Image.Image:
        check_seed(seed)
        game, frame = self.generator.game, self.codec.framing
        sides = asked_size(picture.size, frame.size, size)
        given = picture.seen(frame.channels)
        if tuple(given.shape[2:]) != sides:
            given = torch.nn.functional.interpolate(
                given, sides, mode="bicubic", antialias=True
            ).clamp(-1, 1)
        target = torch.tensor([domain], device=game.device)
        style: dict[str, Tensor] = {}
        if reference is not None:
            style["style"] = self._style(reference, target)

        def network(pictures: Tensor) -> Tensor:
            rng = torch.Generator().manual_seed(seed)
            made = game.sample(1, rng=rng, input=pictures, domain=target, **style)
            return next(iter(made.values()))

        with torch.no_grad(), sampling(game):
            if isinstance(game, AnySize):
                made = whole(network, given.to(game.device), game.sight())
            elif sides == frame.size:
                made = network(given.to(game.device))
            else:
                raise UserError(
                    f"{self.generator.recipe.system} works at {frame.size[0]}x{frame.size[1]} "
                    f"only: add --size {frame.size[0]}x{frame.size[1]}"
                )
        check_finite({"picture": made}, self.generator.name)
        return picture.answered(made.cpu(), keep_grey=False)

    @torch.no_grad()
    def _style(self, reference: Image.Image, domain: Tensor) -> Tensor:
        game, frame = self.generator.game, self.codec.framing
        read: Callable[[Tensor, Tensor], Tensor] | None = getattr(game, "style_of", None)
        if read is None:
            raise UserError(
                f"{self.generator.recipe.system} takes no reference: leave --reference out, or "
                "train starganv2"
            )
        pixels = torch.from_numpy(frame(reference).copy())[None]
        shown = self.codec.fields["input"].finish(pixels)
        with sampling(game):
            return read(shown.to(game.device), domain)
