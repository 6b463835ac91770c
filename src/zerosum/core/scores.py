"""Scores taken while training, which rank the checkpoints of one run.

Left alone they are distances on raw pixels or points, cheap enough for every run; a recipe may
ask for an extractor's features and for any metric. For scores to publish see
`zerosum.pipelines.evaluate`, which keeps the whole protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from zerosum.codecs.image import to_uint8
from zerosum.core.game import Game
from zerosum.core.recipe import Evaluate
from zerosum.core.runtime import uncompiled
from zerosum.data.source import Source, finish
from zerosum.metrics.extractors import Extractor, extractor, score_name
from zerosum.metrics.extractors.suite import METRICS, Embedded, Sets, parse_metrics
from zerosum.metrics.frechet import frechet_distance
from zerosum.metrics.manifold import precision_recall
from zerosum.metrics.score import Score

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


Taken = dict[str, Score]
"""Scores by name."""
HIGHER = ("precision", "recall", "density", "coverage", "is", "vendi", "authenticity", "gan-")
"""Beginnings of names of scores that are better when they are higher."""
BATCH = 64
"""Images given to an extractor at a time."""


@dataclass(frozen=True)
class Judge:
    """Real samples to compare with, and how far two halves of them are apart.

    Attributes:
        real: Features of the real samples.
        field: The field that is compared.
        features: Name of the features.
        embed: Features of samples of that field.
        take: Scores of a real and a generated set.
        reference: Scores of one half of the real samples against the other.
    """

    real: Embedded
    field: str
    features: str
    embed: Callable[[Tensor], Embedded]
    take: Callable[[Embedded, Embedded], Taken]
    reference: Mapping[str, float]

    @classmethod
    def of(cls, source: Source, asked: Evaluate, device: torch.device) -> Judge | None:
        """A judge on at most `asked.samples` real ones; None where raw scores cost too much.

        Raises:
            UserError: An unknown metric or extractor, or a metric that cannot be taken here.
        """
        field = next((name for name in FIELDS if name in source.shapes), None)
        if field is None:
            return None
        raw = not asked.features
        if raw and torch.Size(source.shapes[field]).numel() > WIDEST:
            return None
        if raw or field == "point":
            name, embed = FIELDS[field], _raw
        else:
            chosen = extractor(asked.features).to(device)
            name, embed = chosen.name, partial(_embedded, chosen, device)
        take = partial(_named, list(asked.metrics), name, asked.seed) if asked.metrics else None
        take = take or partial(_compare, name)
        shuffled = torch.randperm(len(source), generator=torch.Generator().manual_seed(0))
        real = embed(finish(source.fetch(shuffled[: asked.samples].tolist()))[field])
        half = len(real.features) // 2
        apart = take(_part(real, slice(half)), _part(real, slice(half, None)))
        plain = {label: score.value for label, score in apart.items()}
        return cls(real, field, name, embed, take, plain)

    def row(self, samples: Mapping[str, Tensor], *, seed: int, averaged: bool) -> dict:
        """One line of `scores.jsonl`: the scores with the protocol beside them."""
        fake = self.embed(samples[self.field])
        found = self.take(self.real, fake)
        count = len(self.real.features)
        return {
            "scores": {name: score.value for name, score in found.items()},
            "intervals": {name: s.interval for name, s in found.items() if s.interval},
            "reference": dict(self.reference),
            "reference_note": f"two halves of the real, {count // 2} each",
            "protocol": {
                "features": self.features,
                "real": f"{count} of the training part",
                "fake": len(fake.features),
                "seed": seed,
                "averaged_weights": averaged,
            },
        }


def is_best(rows: Sequence[Mapping]) -> bool:
    """Whether the last of some lines of `scores.jsonl` has the best first score of all."""
    name = next(iter(rows[-1]["scores"]))
    values = [row["scores"][name] for row in rows if name in row["scores"]]
    best = max(values) if name.startswith(HIGHER) else min(values)
    return values[-1] == best


def _raw(samples: Tensor) -> Embedded:
    images = to_uint8(samples) if samples.ndim == 4 else None
    return Embedded(samples.flatten(1).double().cpu(), None, None, images)


def _embedded(chosen: Extractor, device: torch.device, images: Tensor) -> Embedded:
    """Features of images as their files would give them, rounded to 8 bits."""
    stored = to_uint8(images)
    outs = [chosen.outputs(finish({"x": b})["x"].to(device)) for b in stored.split(BATCH)]
    logits = [out.logits.cpu() for out in outs if out.logits is not None]
    features = torch.cat([out.features.cpu() for out in outs])
    return Embedded(features, torch.cat(logits) if logits else None, None, stored)


def _part(whole: Embedded, rows: slice) -> Embedded:
    kept = (None if t is None else t[rows] for t in (whole.logits, whole.labels, whole.images))
    return Embedded(whole.features[rows], *kept)


def _compare(name: str, real: Embedded, fake: Embedded) -> Taken:
    """Fréchet distance, precision and recall (k = 5): cheap, and without intervals on raw ones."""
    both = precision_recall(real=real.features, fake=fake.features, k=5)
    interval = name not in FIELDS.values()
    distance = frechet_distance(real=real.features, fake=fake.features, interval=interval)
    return {
        f"fd-{name}": distance,
        "precision (k=5)": both.precision,
        "recall (k=5)": both.recall,
    }


def _named(names: list[str], features: str, seed: int, real: Embedded, fake: Embedded) -> Taken:
    """Scores by the names that `zerosum evaluate` gives them."""
    found: Taken = {}
    for name in parse_metrics(",".join(names)):
        metric = METRICS[name]
        for label, score, _ in metric.run(Sets(real, fake, None, seed)):
            found[label if metric.images else score_name(label, features)] = score
    return found
