"""A generator's latent space, seen the same way whether its samples are made of styles or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from zerosum.core.draw import answer_of, check_finite, codes, sampling
from zerosum.core.game import LatentGame
from zerosum.core.styles import Movable, Styled
from zerosum.errors import UserError
from zerosum.pipelines.conditions import Condition
from zerosum.pipelines.generate import Generator, check_seed

Name = Literal["auto", "z", "w"]
PART = 32
"""Pictures that are made at a time."""


class Space:
    """Points of a latent space and their pictures.

    A point is a code, as the prior draws it, in the space `z`; in `w` it is a style for each
    layer of the generator.

    Attributes:
        generator: What makes the pictures.
        game: Its game.
        name: `z` or `w`.
        truncation: How far points of `w` are from the mean style; 1 leaves them alone.
    """

    def __init__(
        self,
        generator: Generator,
        name: Name = "auto",
        *,
        truncation: float = 1.0,
        condition: dict[str, Condition] | None = None,
    ) -> None:
        """Look into a generator.

        Args:
            generator: What makes the pictures.
            name: `w` for styles, `z` for codes; `auto` takes styles where there are some.
            truncation: Of styles, towards the mean one.
            condition: One value each, such as a label, held for all pictures; drawn under seed 0
                where absent.

        Raises:
            UserError: There is no latent code, or there are no styles.
        """
        game = generator.game
        if not isinstance(game, LatentGame) or game.inputs():
            raise UserError(f"{generator.recipe.system} has no latent code to look into")
        styled = isinstance(game, Styled)
        if name == "w" and not styled:
            raise UserError(
                f"{generator.recipe.system} has no styles: use --space z, or a system that maps "
                "codes to styles (stylegan, stylegan2, stylegan3)"
            )
        self.name: Literal["z", "w"] = name if name != "auto" else "w" if styled else "z"
        if truncation != 1 and self.name == "z":
            raise UserError("truncation is of styles: leave it out in the space z")
        self.generator, self.game, self.truncation = generator, game, truncation
        drawn = game.prior(1, torch.Generator().manual_seed(0))
        given = drawn | generator.conditioned(1, condition or {})
        self._condition = {name: value.to(game.device) for name, value in given.items()}

    @classmethod
    def load(
        cls,
        path: str | Path,
        name: Name = "auto",
        *,
        truncation: float = 1.0,
        condition: dict[str, Condition] | None = None,
        device: str = "auto",
        module: str | None = None,
    ) -> Space:
        """The same of a run's or an exported model's folder; arguments as those of `Space`."""
        generator = Generator.load(path, device=device, module=module)
        return cls(generator, name, truncation=truncation, condition=condition)

    @property
    def styled(self) -> Styled:
        """The game, for those that need styles.

        Raises:
            UserError: It has none.
        """
        if self.name != "w" or not isinstance(self.game, Styled):
            raise UserError(f"{self.generator.recipe.system} has no styles, which this needs")
        return self.game

    def conditions(self, n: int) -> dict[str, Tensor]:
        """The conditions of n pictures."""
        return {name: value.expand(n, *value.shape[1:]) for name, value in self._condition.items()}

    def points(self, seeds: Sequence[int]) -> Tensor:
        """Points (n, ...) of the first samples that `generate` draws under some seeds."""
        for seed in seeds:
            check_seed(seed)
        return self.of_codes(torch.cat([codes(self.game, 1, seed) for seed in seeds]))

    def many(self, n: int, seed: int = 0) -> Tensor:
        """Points (n, ...) of n samples of one seed."""
        check_seed(seed)
        return self.of_codes(codes(self.game, n, seed))

    @torch.no_grad()
    def of_codes(self, z: Tensor) -> Tensor:
        """Points (n, ...) of codes (n, ...)."""
        z = z.to(self.game.device)
        if self.name == "z":
            return z
        with sampling(self.game):
            found = [
                self.styled.to_styles(part, self.conditions(len(part))) for part in z.split(1_000)
            ]
        return self.styled.mean_style().lerp(torch.cat(found), self.truncation)

    def rendered(self, points: Tensor) -> Tensor:
        """Pictures (n, C, H, W) of points (n, ...), with gradients; in the mode the game is in."""
        given = self.conditions(len(points))
        if self.name == "w":
            made = self.styled.of_styles(points, given)
        else:
            made = self.game.decode(points, given)
        return answer_of(self.game, made)

    @torch.no_grad()
    def pictures(self, points: Tensor, transforms: Tensor | None = None) -> Tensor:
        """Pictures (n, C, H, W) on the CPU of points (n, ...), what they show moved where asked.

        Args:
            points: The points.
            transforms: (n, 3, 3), see `zerosum.core.styles.Movable`.

        Raises:
            UserError: The game cannot move what it shows, or its weights are broken.
        """
        found = []
        with sampling(self.game):
            for start in range(0, len(points), PART):
                part = points[start : start + PART]
                if transforms is None:
                    found.append(self.rendered(part).cpu())
                    continue
                if not isinstance(self.game, Movable):
                    raise UserError(
                        f"{self.generator.recipe.system} cannot move what it shows: stylegan3 can"
                    )
                made = self.game.moved(
                    part,
                    self.conditions(len(part)),
                    transforms[start : start + PART].to(part),
                )
                found.append(answer_of(self.game, made).cpu())
        pictures = torch.cat(found)
        if pictures.ndim != 4:
            raise UserError(
                f"{self.generator.recipe.system} makes no pictures, which this shows: see "
                "zerosum generate"
            )
        check_finite({"pictures": pictures}, self.generator.name)
        return pictures
