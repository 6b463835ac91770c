"""Metrics by the names that a command line gives them, on sets that an extractor has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum import metrics
from zerosum.errors import UserError, nearest
from zerosum.metrics.record import Setting
from zerosum.metrics.score import Score

DEFAULT = ("fd", "kd", "prdc")


@dataclass(frozen=True)
class Embedded:
    """One set of samples as an extractor sees it: (N, d), (N, classes) and classes (N,)."""

    features: Tensor
    logits: Tensor | None
    labels: Tensor | None


@dataclass(frozen=True)
class Sets:
    """What a metric is taken on."""

    real: Embedded
    fake: Embedded
    held_out: Embedded | None
    seed: int

    @property
    def rng(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    def logits(self) -> Tensor:
        if self.fake.logits is None:
            raise UserError(
                "is needs class scores, which these features lack: "
                "use --features cnn-digits, efficientnet-lite0 or another classifier"
            )
        return self.fake.logits

    def fresh(self, metric: str) -> Embedded:
        if self.held_out is None:
            raise UserError(
                f"{metric} needs held-out real images: set data.holdout=0.1, or name a set "
                "with a test part"
            )
        return self.held_out


Taken = tuple[str, Score, dict[str, Setting]]


def _prdc(sets: Sets) -> list[Taken]:
    real, fake = sets.real.features, sets.fake.features
    pr = metrics.precision_recall(real=real, fake=fake)
    dc = metrics.density_coverage(real=real, fake=fake)
    return [
        ("precision", pr.precision, {"k": pr.k}),
        ("recall", pr.recall, {"k": pr.k}),
        ("density", dc.density, {"k": dc.k}),
        ("coverage", dc.coverage, {"k": dc.k}),
    ]


def _fd(sets: Sets) -> list[Taken]:
    return [("fd", metrics.frechet_distance(real=sets.real.features, fake=sets.fake.features), {})]


def _kd(sets: Sets) -> list[Taken]:
    score = metrics.kernel_distance(real=sets.real.features, fake=sets.fake.features)
    return [("kd", score, {"kernel": "polynomial", "degree": 3, "subsets": None})]


def _is(sets: Sets) -> list[Taken]:
    score = metrics.inception_score(logits=sets.logits(), splits=10, shuffle=True, rng=sets.rng)
    return [("is", score, {"splits": 10, "shuffled": True})]


def _mind(sets: Sets) -> list[Taken]:
    score = metrics.mind(real=sets.real.features, fake=sets.fake.features, rng=sets.rng)
    return [("mind", score, {"directions": 1000})]


def _vendi(sets: Sets) -> list[Taken]:
    return [("vendi", metrics.vendi(fake=sets.fake.features), {"kernel": "cosine"})]


def _fd_infinity(sets: Sets) -> list[Taken]:
    score = metrics.fd_infinity(real=sets.real.features, fake=sets.fake.features, rng=sets.rng)
    return [("fd-infinity", score, {"sizes": 15})]


def _authenticity(sets: Sets) -> list[Taken]:
    score = metrics.authenticity(
        real=sets.real.features,
        fake=sets.fake.features,
        held_out=sets.fresh("authenticity").features,
    )
    return [("authenticity", score, {"held_out": len(sets.fresh("authenticity").features)})]


def _c_t(sets: Sets) -> list[Taken]:
    score = metrics.c_t(
        real=sets.real.features,
        fake=sets.fake.features,
        held_out=sets.fresh("ct").features,
        rng=sets.rng,
    )
    return [("ct", score, {"cells": 3, "held_out": len(sets.fresh("ct").features)})]


def _cas(sets: Sets) -> list[Taken]:
    fresh = sets.fresh("cas")
    if sets.real.labels is None or sets.fake.labels is None or fresh.labels is None:
        raise UserError(
            "cas trains classifiers and so needs labels of reals and fakes: "
            "these have none, leave cas out"
        )
    found = metrics.classifier_scores(
        real=sets.real.features,
        real_labels=sets.real.labels,
        fake=sets.fake.features,
        fake_labels=sets.fake.labels,
        held_out=fresh.features,
        held_out_labels=fresh.labels,
    )
    parameters: dict[str, Setting] = {"classifier": "softmax regression", "decay": 1e-3}
    return [
        ("gan-train", found.gan_train, parameters),
        ("gan-test", found.gan_test, parameters),
        ("gan-ceiling", found.ceiling, parameters),
    ]


@dataclass(frozen=True)
class Metric:
    """How a name on the command line is computed.

    Attributes:
        run: Gives one or more named scores with their parameters.
        ceiling: Whether held-out reals can take the fakes' place; not so where the metric
            compares with held-out reals already.
    """

    run: Callable[[Sets], list[Taken]]
    ceiling: bool = True


METRICS: Mapping[str, Metric] = {
    "fd": Metric(_fd),
    "kd": Metric(_kd),
    "prdc": Metric(_prdc),
    "is": Metric(_is),
    "mind": Metric(_mind),
    "vendi": Metric(_vendi),
    "fd-infinity": Metric(_fd_infinity),
    "authenticity": Metric(_authenticity, ceiling=False),
    "ct": Metric(_c_t, ceiling=False),
    "cas": Metric(_cas, ceiling=False),
}


def parse_metrics(text: str) -> list[str]:
    """Names of a list such as `fd,kd,prdc`.

    Raises:
        UserError: A name is unknown, with the nearest ones, or there is none.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in METRICS:
            raise UserError(f"there is no metric '{name}': {nearest(name, METRICS)}")
    if not names:
        raise UserError(f"no metric named: write for example --metrics {','.join(DEFAULT)}")
    return list(dict.fromkeys(names))
