"""The point of a latent space whose picture is nearest to a given one.

Karras et al. 2020, arXiv:1912.04958, appendix D: from the mean style, noise on it that fades, a
rate that rises and falls. In `w+` each layer has a style of its own (Abdal, Qin and Wonka 2019,
arXiv:1904.03189). Pivotal tuning then bends the generator's weights a little, the point held
(Roich, Mokady, Bermano and Cohen-Or 2022, arXiv:2106.05744, section 3.2).

Deviations: the distance is that of EfficientNet-Lite0's layers, whose weights a laptop can have,
plus pixels; the noise maps of a generator stay as they are.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zerosum.core.draw import sampling
from zerosum.core.game import LatentGame
from zerosum.core.runtime import uncompiled
from zerosum.data.config import OnProgress
from zerosum.errors import UserError
from zerosum.modalities.images.perceptual import available, perceptual_network
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.latent.space import Space

Kind = Literal["auto", "z", "w", "w+"]
Distance = Literal["auto", "perceptual", "pixels"]
LOOK = 256
"""Codes that are looked at for a start in the space `z`."""
SAMPLES = 10_000
"""Styles that tell mean and spread."""


@dataclass(frozen=True)
class Projection:
    """What was found.

    Attributes:
        point: (1, ...) of the space.
        picture: Its picture (1, C, H, W), in [-1, 1].
        psnr: Of the picture against the given one, in dB.
        curve: The distance at each step.
        generator: What made the picture: the tuned one where it was tuned.
    """

    point: Tensor
    picture: Tensor
    psnr: float
    curve: list[float]
    generator: Generator


class Projector:
    """Finds points of pictures.

    Args:
        space: Where to look.
        kind: `w` for one style, `w+` for one per layer, `z` for a code; `auto` takes `w` where
            there are styles.
        distance: `perceptual` needs the classifier's weights; `auto` takes them where they are.

    Raises:
        UserError: There are no styles, or no weights.
    """

    def __init__(self, space: Space, kind: Kind = "auto", distance: Distance = "auto") -> None:
        self.kind = kind if kind != "auto" else space.name
        if (self.kind == "z") != (space.name == "z"):
            raise UserError(f"{self.kind} is no kind of point of the space {space.name}")
        self.space = space
        seen = distance == "perceptual" or (distance == "auto" and available())
        self.network = perceptual_network("efficientnet-lite0") if seen else None
        if self.network is not None:
            self.network.to(space.game.device)

    def target(self, picture: Any) -> Tensor:
        """A picture as the game knows its own, (1, C, H, W).

        Raises:
            UserError: It is no picture of the data's size.
        """
        codec = self.space.generator.codec
        encoded = codec.encode([picture])
        name = next(name for name in encoded if len(codec.fields[name].shape) == 3)
        return codec.fields[name].finish(encoded[name]).to(self.space.game.device)

    def project(
        self,
        target: Tensor,
        *,
        steps: int = 500,
        tune: int = 0,
        rate: float = 0.1,
        seed: int = 0,
        on_progress: OnProgress | None = None,
    ) -> Projection:
        """Look for the point of a picture.

        Args:
            target: (1, C, H, W) in [-1, 1].
            steps: How often the point is moved.
            tune: How often the generator's weights are moved after that.
            rate: Largest learning rate of the point.
            seed: Of start and noise.
            on_progress: Called with steps done and all.
        """
        if steps < 1 or tune < 0:
            raise UserError("a projection needs at least one step")
        space, total = self.space, steps + tune
        rng = torch.Generator().manual_seed(seed)
        with sampling(space.game):
            start, spread = self._start(target, seed)
            point = start.clone().requires_grad_(True)
            optimizer = torch.optim.Adam([point], betas=(0.9, 0.999))
            distance, curve = self._distance(target), list[float]()
            frozen = [p for p in space.game.parameters() if p.requires_grad]
            for parameter in frozen:
                parameter.requires_grad_(False)
            for step in range(steps):
                t = step / steps
                for group in optimizer.param_groups:
                    group["lr"] = rate * _ramp(t)
                noise = 0.05 * spread * max(0.0, 1 - t / 0.75) ** 2
                moved = point + noise * torch.randn(point.shape, generator=rng).to(point)
                loss = distance(space.rendered(self._full(moved)))
                if self.kind == "z":
                    loss = loss + 1e-3 * point.square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                curve.append(float(loss.detach()))
                if on_progress is not None:
                    on_progress(step + 1, total)
            for parameter in frozen:
                parameter.requires_grad_(True)
        found = self._full(point.detach())
        if tune:
            space = self._tuned(found, target, tune, curve, on_progress, steps)
        picture = space.pictures(found).clamp(-1, 1)
        error = float((picture - target.cpu()).square().mean()) / 4
        psnr = math.inf if error == 0 else -10 * math.log10(error)
        return Projection(found, picture, psnr, curve, space.generator)

    def _full(self, point: Tensor) -> Tensor:
        """The point with a style for each layer."""
        if self.kind != "w":
            return point
        layers = len(self.space.styled.style_weights())
        return point.expand(-1, layers, -1)

    @torch.no_grad()
    def _start(self, target: Tensor, seed: int) -> tuple[Tensor, float]:
        """Where to begin, and how far points lie from each other."""
        if self.kind == "z":
            codes = self.space.many(LOOK, seed)
            near = [
                (part - target).square().flatten(1).mean(1)
                for part in self.space.pictures(codes).to(target).split(1)
            ]
            return codes[int(torch.cat(near).argmin())][None], 1.0
        styles = self.space.many(SAMPLES, seed)
        mean = styles[:, 0].mean(0)
        spread = float((styles[:, 0] - mean).square().sum(1).mean().sqrt()) / mean.numel() ** 0.5
        layers = 1 if self.kind == "w" else styles.shape[1]
        return mean.expand(1, layers, -1).clone(), spread

    def _distance(self, target: Tensor) -> Callable[[Tensor], Tensor]:
        network = self.network
        wanted = [] if network is None else [normalize(x, dim=1) for x in network(target)]

        def distance(made: Tensor) -> Tensor:
            pixels = (made - target).square().mean()
            if network is None:
                return pixels
            layers = [
                (normalize(x, dim=1) - y).square().sum(1).mean()
                for x, y in zip(network(made), wanted)
            ]
            return pixels + torch.stack(layers).mean()

        return distance

    def _tuned(
        self,
        point: Tensor,
        target: Tensor,
        tune: int,
        curve: list[float],
        on_progress: OnProgress | None,
        done: int,
    ) -> Space:
        """A space whose generator was bent until the point's picture is the given one."""
        old = self.space
        game = copy.deepcopy(old.game)
        assert isinstance(game, LatentGame)
        generator = Generator(game, old.generator.recipe, old.generator.codec, old.generator.name)
        space = Space(generator, old.name, truncation=old.truncation)
        space._condition = old._condition
        own = [p for module in game.generators() for p in module.parameters()]
        optimizer = torch.optim.Adam(own, lr=3e-4, betas=(0.9, 0.999))
        distance = self._distance(target)
        with sampling(game), uncompiled():
            for step in range(tune):
                loss = distance(space.rendered(point))
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                curve.append(float(loss.detach()))
                if on_progress is not None:
                    on_progress(done + step + 1, done + tune)
        return space


def _ramp(t: float) -> float:
    """The rate over a projection: up in a twentieth, down along a cosine in the last quarter."""
    down = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - t) / 0.25))
    return down * min(1.0, t / 0.05 + 1e-3)
