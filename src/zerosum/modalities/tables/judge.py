"""How sets of rows are compared: rows in passing, and metrics on the tables themselves."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from zerosum.data.fields import Batch
from zerosum.metrics.registry import Better, Metric, Taken
from zerosum.metrics.score import Score, wilson
from zerosum.metrics.sets import Sets
from zerosum.modalities.tables.imputing import IMPUTATION
from zerosum.modalities.tables.privacy import closest
from zerosum.modalities.tables.scores import BINS, column_coverage, missing_rates, quality
from zerosum.modalities.tables.utility import LEARNERS, discriminative, utility
from zerosum.modalities.tables.view import views

CLOSEST = 1_000
"""Most rows whose closest training row is looked for."""


def encoded_rows(batch: Batch) -> Tensor:
    """Encoded rows (N, width), float32 on the CPU: numbers and one-hot parts have like scales."""
    return batch["row"].detach().flatten(1).float().cpu()


def _quality(sets: Sets) -> list[Taken]:
    real, fake = views(sets.real.objects(), sets.fake.objects())
    found = quality(real=real, fake=fake)
    n: Any = {"n_real": len(real), "n_fake": len(fake)}
    return [
        ("column-shapes", found.shapes, {}),
        ("pair-trends", found.pairs, {"bins": BINS}),
        ("quality", found.overall, {"bins": BINS}),
        ("missing-rates", Score(value=missing_rates(real=real, fake=fake), **n), {}),
        ("column-coverage", Score(value=column_coverage(real=real, fake=fake), **n), {}),
    ]


def _utility(sets: Sets) -> list[Taken]:
    fresh, taken = sets.fresh("tstr"), list[Taken]()
    real, fake, held_out = views(sets.real.objects(), sets.fake.objects(), fresh.objects())
    for learner in LEARNERS:
        parts = {"real": real, "fake": fake, "held_out": held_out}
        found = utility(**parts, seed=sets.seed, learner=learner)
        parameters = {"target": real.target, "learner": learner}
        # The first learner's scores bear the plain names.
        end = "" if learner == LEARNERS[0] else f"-{learner}"
        for measure, score in found.synthetic.items():
            taken.append((f"tstr-{measure}{end}", score, {**parameters}))
            taken.append((f"trtr-{measure}{end}", found.real[measure], {**parameters}))
    return taken


def _discriminative(sets: Sets) -> list[Taken]:
    real, fake = views(sets.real.objects(), sets.fake.objects())
    score = discriminative(real=real, fake=fake, seed=sets.seed)
    return [("discriminative-auc", score, {"learner": LEARNERS[0]})]


def _closest(sets: Sets) -> list[Taken]:
    fresh = sets.fresh("dcr")
    train, fake, held_out = views(sets.real.objects(), sets.fake.objects(), fresh.objects())
    found = closest(train=train, fake=fake, held_out=held_out, n=CLOSEST, seed=sets.seed)
    copied, usual = found.copies
    interval = wilson(copied, found.n)
    copies = Score(value=copied, interval=interval, null=usual, n_real=len(train), n_fake=found.n)
    return [
        ("dcr-ratio", found.ratio, {"rows": found.n, "held_out": found.held_out}),
        ("dcr-share", found.share, {"rows": found.share.n_fake, "crowd": found.share.n_real}),
        ("copies", copies, {}),
    ]


_BETTER: dict[str, Better] = {
    f"tstr-{measure}{end}": "higher"
    for measure in ("auc", "f1", "r2")
    for end in ("", *(f"-{learner}" for learner in LEARNERS[1:]))
}
_LIKENESS = ("column-shapes", "pair-trends", "quality", "missing-rates", "column-coverage")

METRICS = {
    "quality": Metric(
        _quality,
        dict.fromkeys(_LIKENESS, "higher"),
        takes="examples",
        needs=("row",),
    ),
    "tstr": Metric(_utility, _BETTER, ceiling=False, takes="examples", needs=("row",)),
    "discriminative": Metric(
        _discriminative, {"discriminative-auc": "lower"}, takes="examples", needs=("row",)
    ),
    "dcr": Metric(
        _closest,
        {"copies": "lower", "dcr-share": "lower"},
        ceiling=False,
        takes="examples",
        needs=("row",),
    ),
    "imputation": IMPUTATION,
}
"""Metrics on the tables themselves."""
