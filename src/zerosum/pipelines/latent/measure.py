"""How even a latent space is, and how well a generator moves what it shows.

Path lengths of Karras, Laine and Aila 2019, arXiv:1812.04948, section 4.1; equivariance of Karras
et al. 2021, arXiv:2106.12423, section 2.2 and appendix E.3: `zerosum.metrics` has both.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from zerosum.core.draw import answer_of, sampling
from zerosum.core.styles import Movable
from zerosum.errors import UserError
from zerosum.metrics import (
    perceptual_path_length,
    rotation_equivariance,
    translation_equivariance,
)
from zerosum.metrics.score import Score
from zerosum.modalities.images.perceptual import available, perceptual_network
from zerosum.pipelines.latent.space import Space


def path_length(space: Space, n: int = 1_000, seed: int = 0) -> Score:
    """Perceptual path length between n pairs of points, stepping at the start of each line.

    The distance is that of EfficientNet-Lite0's layers where its weights are, else of pixels; the
    papers' is VGG's, so their figures are not comparable.

    Args:
        space: The space; codes are walked between straight too.
        n: Pairs.
        seed: Of the points.
    """
    points = space.many(2 * n, seed)
    shape, flat = points.shape[1:], points.flatten(1)
    network = perceptual_network("efficientnet-lite0") if available() else None
    if network is not None:
        network.to(space.game.device)

    def distance(a: Tensor, b: Tensor) -> Tensor:
        if network is None:
            return (a - b).square().flatten(1).mean(1)
        layers = [
            (normalize(x, dim=1) - normalize(y, dim=1)).square().sum(1).mean((1, 2))
            for x, y in zip(network(a), network(b))
        ]
        return torch.stack(layers).mean(0)

    with sampling(space.game):
        return perceptual_path_length(
            lambda rows: space.rendered(rows.unflatten(1, shape).to(space.game.device)),
            distance,
            starts=flat[:n],
            ends=flat[n:],
            # Longer than the papers' 1e-4, whose squared distances float32 cannot hold.
            epsilon=1e-2,
            rng=torch.Generator().manual_seed(seed),
        )


def equivariance(space: Space, n: int = 200, seed: int = 0) -> dict[str, Score]:
    """EQ-T, EQ-T_frac and, where pictures are large enough for its filter, EQ-R, in decibels.

    Args:
        space: A space of styles whose game moves what it shows.
        n: Pictures.
        seed: Of points and moves.

    Raises:
        UserError: The game cannot move what it shows, or pictures are not square.
    """
    game, name = space.game, space.generator.recipe.system
    if not isinstance(game, Movable):
        raise UserError(f"{name} cannot move what it shows: stylegan3 can")
    points = space.many(n, seed)
    shape = points.shape[1:]

    def render(rows: Tensor, matrices: Tensor) -> Tensor:
        styles = rows.unflatten(1, shape).to(game.device)
        given = space.conditions(len(styles))
        return answer_of(space.game, game.moved(styles, given, matrices.to(styles)))

    height, width = space.pictures(points[:1]).shape[2:]
    if height != width:
        raise UserError(f"equivariance is of square pictures, and these are {height}x{width}")
    with sampling(space.game), torch.no_grad():
        flat = points.flatten(1)

        def rng() -> torch.Generator:
            return torch.Generator().manual_seed(seed)

        found = {
            "EQ-T": translation_equivariance(render, flat, rng=rng()),
            "EQ-T_frac": translation_equivariance(render, flat, fractional=True, rng=rng()),
        }
        if height >= 32:
            found["EQ-R"] = rotation_equivariance(render, flat, rng=rng())
    return found
