"""Metrics by the names that a command line gives them, on features or on the images themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum import metrics
from zerosum.errors import UserError, nearest
from zerosum.metrics.neighbours import own_radii
from zerosum.metrics.record import Setting
from zerosum.metrics.score import Score
from zerosum.metrics.similarity import WEIGHTS, WINDOW

DEFAULT = ("fd", "kd", "prdc")
NEAR = 0.05
"""Share of reals whose nearest neighbour counts as a near-duplicate."""


@dataclass(frozen=True)
class Embedded:
    """One set of samples as an extractor sees it: (N, d), (N, classes) and classes (N,).

    Beside them stand the images themselves, uint8 (N, C, H, W), where the samples are images.
    """

    features: Tensor
    logits: Tensor | None
    labels: Tensor | None
    images: Tensor | None = None


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

    def images(self, metric: str) -> tuple[Tensor, Tensor]:
        """Real and fake images with values from 0 to 255, float32."""
        if self.real.images is None or self.fake.images is None:
            raise UserError(f"{metric} is for images, which these data are not: leave it out")
        return self.real.images.float(), self.fake.images.float()

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
    pr, dc = metrics.prdc(real=real, fake=fake)
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


def _sliced_wasserstein(sets: Sets) -> list[Taken]:
    real, fake = sets.real.features, sets.fake.features
    score = metrics.sliced_wasserstein(real=real, fake=fake, rng=sets.rng)
    return [("sliced-wasserstein", score, {"directions": 1000})]


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


def _fld(sets: Sets) -> list[Taken]:
    fresh = sets.fresh("fld").features
    score = metrics.feature_likelihood_divergence(
        real=sets.real.features, fake=sets.fake.features, held_out=fresh
    )
    return [("fld", score, {"baseline": 0.0, "held_out": len(fresh)})]


def _birthday_support(sets: Sets) -> list[Taken]:
    """Near-duplicates are nearer than all but a few reals are to their nearest neighbour."""
    threshold = float(own_radii(sets.real.features, 1).quantile(NEAR))
    score = metrics.birthday_support(fake=sets.fake.features, threshold=threshold)
    return [("birthday-support", score, {"quantile": NEAR, "threshold": threshold})]


def _ms_ssim(sets: Sets) -> list[Taken]:
    _, fake = sets.images("ms-ssim")
    side = min(fake.shape[2:])
    if side < WINDOW:
        raise UserError(
            f"ms-ssim needs images of {WINDOW} pixels and these have {side}: leave it out"
        )
    scales = min(len(WEIGHTS), 1 + int(math.log2(side / WINDOW)))
    score = metrics.ms_ssim_variety(fake=fake, peak=255.0, scales=scales, rng=sets.rng)
    return [("ms-ssim", score, {"pairs": 1000, "scales": scales})]


def _spectrum(sets: Sets) -> list[Taken]:
    real, fake = sets.images("spectrum")
    score = metrics.spectrum_distance(real=real, fake=fake, quiet=1 / 12)
    return [("spectrum", score, {"quiet": "rounding to bytes"})]


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
        images: Whether it reads the images themselves, and no features.
    """

    run: Callable[[Sets], list[Taken]]
    ceiling: bool = True
    images: bool = False


METRICS: Mapping[str, Metric] = {
    "fd": Metric(_fd),
    "kd": Metric(_kd),
    "prdc": Metric(_prdc),
    "is": Metric(_is),
    "mind": Metric(_mind),
    "sliced-wasserstein": Metric(_sliced_wasserstein),
    "vendi": Metric(_vendi),
    "fd-infinity": Metric(_fd_infinity),
    "authenticity": Metric(_authenticity, ceiling=False),
    "ct": Metric(_c_t, ceiling=False),
    "fld": Metric(_fld, ceiling=False),
    "cas": Metric(_cas, ceiling=False),
    "birthday-support": Metric(_birthday_support),
    "ms-ssim": Metric(_ms_ssim, images=True),
    "spectrum": Metric(_spectrum, images=True),
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
