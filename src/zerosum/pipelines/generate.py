"""Draw samples from a trained model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from zerosum.codecs.image import to_pictures
from zerosum.core import export
from zerosum.core.game import Game, LatentGame
from zerosum.core.recipe import Recipe
from zerosum.core.run import read_run
from zerosum.core.runtime import find_device
from zerosum.core.scores import draw
from zerosum.errors import UserError

Condition = int | Sequence[int] | Tensor
WHOLE = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


class Generator:
    """A trained game that samples under a seed.

    Attributes:
        game: The game with its averaged weights, in evaluation mode.
        recipe: What it was trained with.
    """

    def __init__(self, game: Game, recipe: Recipe) -> None:
        self.game, self.recipe = game, recipe

    @classmethod
    def load(
        cls, path: str | Path, *, device: str = "auto", module: str | None = None
    ) -> Generator:
        """Load a run's folder or an exported model's folder.

        Args:
            path: Folder that `zerosum train` or `zerosum export` wrote.
            device: Where to sample.
            module: Module or file of an outside model.

        Raises:
            UserError: The folder holds neither.
        """
        folder, where = Path(path), find_device(device)
        if (folder / "config.json").is_file():
            game, recipe = export.read(folder, module)
        else:
            game, recipe, _ = read_run(folder, module)
        return cls(game.to(where), recipe)

    @property
    def class_names(self) -> list[str]:
        """Names of the classes in the order of the labels; empty without labels."""
        names = self.recipe.facts.get("class_names")
        return names if isinstance(names, list) else []

    def sample(
        self, n: int, *, seed: int = 0, decode: bool = True, **condition: Condition
    ) -> list[Image.Image] | Tensor:
        """Draw n samples.

        Args:
            n: How many.
            seed: The same seed gives the same samples.
            decode: Give pictures where the samples are images; else the tensor.
            **condition: Such as `label=3` for all or `label=[0, 1, 2]` for each sample.

        Returns:
            n pictures, or a tensor (n, ...) with images in [-1, 1].

        Raises:
            UserError: A condition that the model does not take, or a wrong number of values.
        """
        samples = self.draw(n, seed=seed, **condition)
        if decode and "image" in samples:
            return to_pictures(samples["image"])
        return next(iter(samples.values()))

    def draw(self, n: int, *, seed: int = 0, **condition: Condition) -> dict[str, Tensor]:
        """As `sample`, with all fields as tensors on the CPU: samples first, then conditions."""
        if n < 1:
            raise UserError(f"{n} samples cannot be drawn: ask for at least 1")
        given = self._conditions(n, condition)
        return {name: t.cpu() for name, t in draw(self.game, n, seed, given).items()}

    @torch.no_grad()
    def interpolate(
        self,
        stops: int = 2,
        steps: int = 8,
        *,
        seed: int = 0,
        decode: bool = True,
        **condition: int,
    ) -> list[Image.Image] | Tensor:
        """Walk through the latent space on great circles between random codes.

        Args:
            stops: Codes to pass through, at least 2.
            steps: Samples from one code up to the next.
            seed: Seed of the codes.
            decode: Give pictures where the samples are images; else the tensor.
            **condition: One value each, held during the walk.

        Returns:
            (stops - 1) * steps + 1 samples, in order.

        Raises:
            UserError: The model has no latent code.
        """
        if not isinstance(self.game, LatentGame):
            raise UserError(f"{self.recipe.system} has no latent code to interpolate")
        if stops < 2 or steps < 1:
            raise UserError("an interpolation needs at least 2 stops and 1 step between them")
        rng = torch.Generator().manual_seed(seed)
        codes = self.game.latent(stops, rng)
        shares = torch.arange(steps, device=codes.device) / steps
        walk = [slerp(a, b, shares) for a, b in pairwise(codes)]
        z = torch.cat([*walk, codes[-1:]])
        drawn = {name: value[:1].expand(len(z)) for name, value in self.game.prior(1, rng).items()}
        given = drawn | self._conditions(len(z), condition)
        samples = self.game.decode(z, given)
        if decode and "image" in samples:
            return to_pictures(samples["image"])
        return next(iter(samples.values())).cpu()

    def _conditions(self, n: int, given: Mapping[str, Condition]) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = {}
        for name, value in given.items():
            if name not in self.game.conditions:
                takes = ", ".join(self.game.conditions) or "no condition"
                raise UserError(f"{self.recipe.system} takes {takes}, not '{name}'")
            try:
                tensor = torch.as_tensor(value).flatten()
            except (TypeError, ValueError, RuntimeError) as error:
                raise UserError(f"{name}={value!r}: give a number, or one per sample") from error
            if len(tensor) not in (1, n):
                raise UserError(f"{len(tensor)} values of '{name}' for {n} samples: give 1 or {n}")
            tensor = self._labels(tensor) if name == "label" else tensor
            tensors[name] = tensor.expand(n).to(self.game.device)
        return tensors

    def _labels(self, labels: Tensor) -> Tensor:
        """Labels (N,) as int64, each of them a class of the model."""
        if labels.dtype not in WHOLE:
            raise UserError(f"label={labels.tolist()}: labels are whole numbers, one per class")
        classes = len(self.class_names)
        wrong = labels[(labels < 0) | (labels >= classes)]
        if len(wrong):
            raise UserError(
                f"there is no class {int(wrong[0])}: labels go from 0 to {classes - 1}"
            )
        return labels.long()


def slerp(start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
    """Points on the great circle between two codes (Shoemake 1985), at their lengths.

    Args:
        start: A code (D, ...).
        end: A code of the same shape.
        shares: Positions (S,) in [0, 1].

    Returns:
        Codes (S, D, ...).
    """
    a, b = start.flatten(), end.flatten()
    cosine = torch.dot(a, b) / (a.norm() * b.norm()).clamp_min(1e-12)
    angle = torch.arccos(cosine.clamp(-1, 1))
    t = shares[:, None]
    if torch.sin(angle) < 1e-4:  # parallel, or opposite as codes of one number are
        mixed = (1 - t) * a + t * b
    else:
        mixed = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / torch.sin(angle)
    return mixed.view(len(shares), *start.shape)


load = Generator.load
