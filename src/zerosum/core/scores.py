"""Scores that are cheap enough to take while training: distances on raw pixels or points.

They rank checkpoints of one run. For scores to publish, evaluate with a feature extractor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum.core.game import Game
from zerosum.core.runtime import uncompiled
from zerosum.data.source import Source, finish
from zerosum.metrics.frechet import frechet_distance
from zerosum.metrics.manifold import precision_recall

FIELDS = {"image": "pixels", "point": "points"}
"""Fields that can be scored raw, with the name of the features in a score's name."""
WIDEST = 3072
"""Pixels above which a covariance matrix costs too much for an evaluation in passing."""


@torch.no_grad()
def draw(
    game: Game, n: int, seed: int, condition: Mapping[str, Tensor] | None = None, batch: int = 256
) -> dict[str, Tensor]:
    """Samples in evaluation mode, repeatable under a seed whatever device the game is on.

    Args:
        game: The game, with the weights to sample from.
        n: How many.
        seed: Seed of the latent codes and of conditions that are not given.
        condition: Tensors (n, ...) by name.
        batch: Samples at a time.
    """
    rng = torch.Generator().manual_seed(seed)
    mode = game.training
    game.eval()
    try:
        with uncompiled():
            parts = []
            for start in range(0, n, batch):
                here = slice(start, min(start + batch, n))
                given = {name: value[here] for name, value in (condition or {}).items()}
                parts.append(game.sample(here.stop - here.start, rng=rng, **given))
    finally:
        game.train(mode)
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class Judge:
    """Real samples to compare with, and how far two halves of them are apart.

    Attributes:
        real: (N, d) float64.
        field: The field that is compared.
        reference: Scores of one half of the real samples against the other.
    """

    real: Tensor
    field: str
    reference: Mapping[str, float]

    @classmethod
    def of(cls, source: Source, samples: int) -> Judge | None:
        """A judge on at most `samples` real ones; None where such scores cost too much."""
        name = next(
            (
                f
                for f in FIELDS
                if torch.Size(source.shapes.get(f, (WIDEST + 1,))).numel() <= WIDEST
            ),
            None,
        )
        if name is None:
            return None
        shuffled = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))
        real = _rows(finish(source.fetch(shuffled[:samples].tolist()))[name])
        half = len(real) // 2
        return cls(real, name, _compare(real[:half], real[half:], name))

    def row(self, samples: Mapping[str, Tensor], *, seed: int, averaged: bool) -> dict:
        """One line of `scores.jsonl`: the scores with the protocol beside them."""
        fake = _rows(samples[self.field])
        return {
            "scores": _compare(self.real, fake, self.field),
            "reference": dict(self.reference),
            "reference_note": f"two halves of the real, {len(self.real) // 2} each",
            "protocol": {
                "features": FIELDS[self.field],
                "real": f"{len(self.real)} of the training part",
                "fake": len(fake),
                "seed": seed,
                "averaged_weights": averaged,
            },
        }


def _rows(samples: Tensor) -> Tensor:
    return samples.flatten(1).double().cpu()


def _compare(real: Tensor, fake: Tensor, name: str) -> dict[str, float]:
    """Fréchet distance, precision and recall (k = 5) of two sets of rows."""
    both = precision_recall(real=real, fake=fake, k=5)
    return {
        f"fd-{FIELDS[name]}": frechet_distance(real=real, fake=fake, interval=False).value,
        "precision (k=5)": float(both.precision),
        "recall (k=5)": float(both.recall),
    }
