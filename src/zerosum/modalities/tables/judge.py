"""How sets of rows are compared: rows in passing, and metrics on the tables themselves."""

from __future__ import annotations

from torch import Tensor

from zerosum.data.fields import Batch
from zerosum.metrics.registry import Metric, Sets, Taken
from zerosum.metrics.score import Score
from zerosum.modalities.tables.scores import BINS, closest, quality, utility
from zerosum.modalities.tables.view import views

CLOSEST = 1_000
"""Most rows whose closest training row is looked for."""


def encoded_rows(batch: Batch) -> Tensor:
    """Encoded rows (N, width), float32 on the CPU: numbers and one-hot parts have like scales."""
    return batch["row"].detach().flatten(1).float().cpu()


def _quality(sets: Sets) -> list[Taken]:
    real, fake = views(sets.real.objects(), sets.fake.objects())
    found = quality(real=real, fake=fake)
    return [
        ("column-shapes", found.shapes, {}),
        ("pair-trends", found.pairs, {"bins": BINS}),
        ("quality", found.overall, {"bins": BINS}),
    ]


def _utility(sets: Sets) -> list[Taken]:
    fresh = sets.fresh("tstr")
    real, fake, held_out = views(sets.real.objects(), sets.fake.objects(), fresh.objects())
    found = utility(real=real, fake=fake, held_out=held_out, seed=sets.seed)
    parameters = {"target": real.target, "learner": "histogram gradient boosting"}
    return [
        (f"tstr-{found.measure}", found.synthetic, {**parameters}),
        (f"trtr-{found.measure}", found.real, {**parameters}),
    ]


def _closest(sets: Sets) -> list[Taken]:
    fresh = sets.fresh("dcr")
    train, fake, held_out = views(sets.real.objects(), sets.fake.objects(), fresh.objects())
    found = closest(train=train, fake=fake, held_out=held_out, n=CLOSEST, seed=sets.seed)
    copied, usual = found.copies
    return [
        ("dcr-ratio", found.ratio, {"rows": found.n, "held_out": found.held_out}),
        ("copies", Score(value=copied, null=usual, n_real=len(train), n_fake=found.n), {}),
    ]


METRICS = {
    "quality": Metric(
        _quality,
        {"column-shapes": "higher", "pair-trends": "higher", "quality": "higher"},
        takes="examples",
        needs=("row",),
    ),
    "tstr": Metric(
        _utility,
        {"tstr-auc": "higher", "tstr-r2": "higher"},
        ceiling=False,
        takes="examples",
        needs=("row",),
    ),
    "dcr": Metric(_closest, {"copies": "lower"}, ceiling=False, takes="examples", needs=("row",)),
}
"""Metrics on the tables themselves."""
