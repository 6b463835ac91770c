"""The one judge: a real set in features, to which generated sets are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from zerosum.metrics.features import Features
from zerosum.metrics.frechet import frechet_distance
from zerosum.metrics.manifold import precision_recall
from zerosum.metrics.record import Setting
from zerosum.metrics.registry import Better, Metric
from zerosum.metrics.score import Score
from zerosum.metrics.sets import Embedded, Sets

K = 5
"""Neighbours of the usual precision and recall."""
BATCH = 64
"""Examples given to an extractor at a time."""
RESERVED = {"fd": "FID", "kd": "KID", "is": "IS"}
"""Published names by ours, for inception-2015 alone."""

Decode = Callable[[Mapping[str, Tensor]], Any]
"""From finished examples to users' objects."""


def score_name(metric: str, features: str) -> str:
    """What a score is to be called, such as `fd-cnn-digits`, or `FID` on inception-2015.

    Args:
        metric: Ours, such as `fd`, `kd`, `is` or `precision`.
        features: Name of the extractor.
    """
    if features == "inception-2015":
        return RESERVED.get(metric, f"{metric}-{features}")
    return f"{metric}-{features}"


@dataclass(frozen=True)
class Taken:
    """One score.

    Attributes:
        name: With the features that it was taken on, where it was.
        score: Its value and interval.
        parameters: The metric's.
        better: Which way is better; None where neither is.
        on_features: Whether it was taken on features.
    """

    name: str
    score: Score
    parameters: Mapping[str, Setting]
    better: Better | None
    on_features: bool


@dataclass(frozen=True)
class Judge:
    """Takes metrics on sets of finished examples.

    Attributes:
        features: The way to features.
        metrics: All that can be taken, by name.
        decode: From finished examples to users' objects, for metrics on those.
    """

    features: Features
    metrics: Mapping[str, Metric]
    decode: Decode = field(default=lambda batch: ())

    @torch.no_grad()
    def embed(
        self,
        examples: Mapping[str, Tensor],
        on_progress: Callable[[int, int], None] | None = None,
        features: tuple[Tensor, Tensor | None] | None = None,
    ) -> Embedded:
        """A set of finished examples (N, ...) as it is judged.

        Args:
            examples: The set, on the CPU.
            on_progress: Called with examples done and of how many.
            features: What was computed before, features (N, d) and logits, to be used again.
        """
        count = len(next(iter(examples.values())))
        if features is None:
            found, logits = [], []
            for start in range(0, count, BATCH):
                if on_progress is not None:
                    on_progress(start, count)
                part = {name: value[start : start + BATCH] for name, value in examples.items()}
                out = self.features.take(part)
                found.append(out.features.cpu())
                logits += [] if out.logits is None else [out.logits.cpu()]
            features = torch.cat(found), torch.cat(logits) if logits else None
        if on_progress is not None:
            on_progress(count, count)
        return Embedded(*features, examples, _once(lambda: self.decode(examples)))

    def plain(self, examples: Mapping[str, Tensor]) -> Embedded:
        """The same with features (N, 0), for metrics that look at none: they cost the most."""
        count = len(next(iter(examples.values())))
        return self.embed(examples, features=(torch.empty(count, 0), None))

    def take(self, name: str, sets: Sets) -> list[Taken]:
        """The scores of one metric.

        Raises:
            UserError: It cannot be taken on these sets; the message says why.
        """
        metric = self.metrics[name]
        on_features = metric.takes == "features"
        return [
            Taken(
                score_name(label, self.features.name) if on_features else label,
                score,
                parameters,
                metric.side(label),
                on_features,
            )
            for label, score, parameters in metric.take(name, sets)
        ]

    def distance(self, real: Embedded, fake: Embedded) -> Taken:
        """The Fréchet distance; on raw examples without its interval, which would cost most."""
        both = {"real": real.features, "fake": fake.features}
        score = frechet_distance(**both, interval=not self.features.raw)
        return Taken(f"fd-{self.features.name}", score, {}, "lower", True)

    def usual(self, real: Embedded, fake: Embedded) -> list[Taken]:
        """The Fréchet distance, precision and recall: what a run or a bench takes."""
        both = precision_recall(real=real.features, fake=fake.features, k=K)
        return [
            self.distance(real, fake),
            Taken(f"precision (k={K})", both.precision, {}, "higher", True),
            Taken(f"recall (k={K})", both.recall, {}, "higher", True),
        ]


def part_of(whole: Embedded, rows: slice) -> Embedded:
    """Some rows of a set."""
    examples = {name: value[rows] for name, value in whole.examples.items()}
    logits = None if whole.logits is None else whole.logits[rows]
    return Embedded(whole.features[rows], logits, examples, _once(lambda: whole.objects()[rows]))


def _once(make: Callable[[], Any]) -> Callable[[], Any]:
    """The same objects each time, made at the first."""
    made: list[Any] = []

    def objects() -> Any:
        if not made:
            made.append(make())
        return made[0]

    return objects
