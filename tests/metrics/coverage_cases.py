"""Metrics on laws that can be drawn again and again, to see what their intervals hold.

A case draws fresh samples and takes a score of them. What its interval claims to hold is the
estimator's expectation at these sample sizes: an exact value where one is known, else the mean
over many independent draws. Training sets that a metric conditions on are fixed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor

from zerosum import metrics
from zerosum.metrics.score import Score, wilson


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(n: int, d: int, g: torch.Generator) -> Tensor:
    return torch.randn(n, d, generator=g, dtype=torch.float64)


@dataclass(frozen=True)
class Case:
    """One metric on one law.

    Attributes:
        metric: Its name.
        law: What is drawn, in words.
        n: Samples in each set.
        draw: Gives one score of fresh samples.
        truth: What the intervals should hold; None means the expectation, by simulation.
    """

    metric: str
    law: str
    n: int
    draw: Callable[[torch.Generator], Score]
    truth: float | None = None

    @property
    def name(self) -> str:
        return f"{self.metric}, {self.law}, n {self.n}"


@dataclass(frozen=True)
class Coverage:
    """How many of a case's intervals held the truth, and how surely that is known."""

    truth: float
    held: float
    interval: tuple[float, float]


def coverage(case: Case, repetitions: int = 200, apart: int = 1000) -> Coverage:
    """Count intervals that hold the truth, found from other draws than theirs."""
    truth = case.truth
    if truth is None:
        g = rng(7)
        truth = math.fsum(case.draw(g).value for _ in range(apart)) / apart
    g = rng(11)
    scores = [case.draw(g) for _ in range(repetitions)]
    held = sum(score.interval[0] <= truth <= score.interval[1] for score in scores)
    return Coverage(truth, held / repetitions, wilson(held / repetitions, repetitions))


def two(metric, change, g, n=300, d=8, **settings) -> Score:
    """A metric of normal reals and of changed normal fakes."""
    real, fake = normal(n, d, g), normal(n, d, g)
    return metric(real=real, fake=change(fake), **settings)


def shifted(x: Tensor) -> Tensor:
    return x + 0.5


def wider(x: Tensor) -> Tensor:
    return 1.5 * x


def same(x: Tensor) -> Tensor:
    return x


def part(metric, name, **settings):
    """One score of a metric that gives several."""
    return lambda **sets: getattr(metric(**sets, **settings), name)


def kernel_truth(shift: float, scale: float, d: int) -> float:
    """Squared MMD of N(0, I) and N(shift, scale² I) with the cubic kernel.

    With s = x·y / d, E (1 + s)³ = 1 + 3 E s + 3 E s² + E s³ for independent x and y of means μ, ν
    and variances a, b: E s = μ·ν/d; E s² = (a b d + b ‖μ‖² + a ‖ν‖² + (μ·ν)²)/d²;
    E s³ = (3 μ·ν (b ‖μ‖² + a ‖ν‖² + a b (d + 2)) + (μ·ν)³)/d³.
    """

    def mean(a: float, b: float, mu: float, nu: float) -> float:
        dot, one, other = d * mu * nu, d * mu * mu, d * nu * nu
        second = a * b * d + b * one + a * other + dot**2
        third = 3 * dot * (b * one + a * other + a * b * (d + 2)) + dot**3
        return 1 + 3 * dot / d + 3 * second / d**2 + third / d**3

    wide = scale * scale
    within = mean(1, 1, 0, 0) + mean(wide, wide, shift, shift)
    return within - 2 * mean(1, wide, 0, shift)


def log_normal(g: torch.Generator) -> Score:
    real, fake = normal(500, 8, g).exp(), normal(500, 8, g).exp() * 1.3
    return metrics.frechet_distance(real=real, fake=fake)


def infinity(g: torch.Generator) -> Score:
    return metrics.fd_infinity(real=normal(300, 8, g), fake=wider(normal(300, 8, g)), rng=g)


def projected(metric, g: torch.Generator) -> Score:
    return two(partial(metric, directions=100, rng=g), shifted, g)


def inception(splits: int, g: torch.Generator) -> Score:
    return metrics.inception_score(logits=2 * normal(400, 8, g), splits=splits)


def birthday(odds: tuple[float, ...], g: torch.Generator) -> Score:
    chosen = torch.multinomial(torch.tensor(odds), 300, replacement=True, generator=g)
    return metrics.birthday_support(fake=chosen[:, None].double(), threshold=0.1)


SLOPING = tuple(1 / (20 + i) for i in range(600))
EVEN = (1.0,) * 500


def simpson(odds: tuple[float, ...]) -> float:
    return sum(odds) ** 2 / sum(share * share for share in odds)


def conditioned(metric, stretch: float, g: torch.Generator) -> Score:
    """A metric on a fixed training set; every held-out sample and fake is new."""
    held_out, fake = normal(300, 8, g), stretch * normal(300, 8, g)
    return metric(real=normal(400, 8, rng(5)), fake=fake, held_out=held_out)


def divergence(g: torch.Generator) -> Score:
    """The fakes are fixed too: the interval speaks of the held-out samples alone."""
    train, fake = normal(200, 8, rng(5)), 1.2 * normal(200, 8, rng(6))
    held_out = normal(200, 8, g)
    return metrics.feature_likelihood_divergence(real=train, fake=fake, held_out=held_out)


def copies(g: torch.Generator) -> Score:
    """Half of the fakes are near-copies of training samples."""
    train = normal(400, 8, rng(5))
    fake, held_out = normal(300, 8, g), normal(300, 8, g)
    chosen = torch.randint(400, (150,), generator=g)
    fake[:150] = train[chosen] + 0.01 * fake[:150]
    return metrics.authenticity(real=train, fake=fake, held_out=held_out)


def classes(n: int, spread: float, g: torch.Generator) -> tuple[Tensor, Tensor]:
    labels = torch.randint(4, (n,), generator=g)
    centres = 2 * torch.eye(4, dtype=torch.float64)[labels]
    return centres + spread * normal(n, 4, g), labels


@cache
def taught(spread: float, seed: int):
    """A fixed training set, and the classifier that it makes."""
    features, labels = classes(300, spread, rng(seed))
    return features, labels, metrics.softmax_regression(features, labels)


def classifier(name: str, g: torch.Generator) -> Score:
    """Either score with its classifiers as trained: only the tested samples are new."""
    real, real_labels, by_real = taught(1.0, 3)
    fake, fake_labels, by_fake = taught(1.5, 4)
    if name == "gan_test":
        fake, fake_labels = classes(300, 1.5, g)
    held_out, held_out_labels = classes(300, 1.0, g)
    found = metrics.classifier_scores(
        real=real,
        real_labels=real_labels,
        fake=fake,
        fake_labels=fake_labels,
        held_out=held_out,
        held_out_labels=held_out_labels,
        recipe=lambda features, labels: by_real if features is real else by_fake,
    )
    return getattr(found, name)


def pictures(n: int, blur: float, g: torch.Generator) -> Tensor:
    """Random fields whose brightness varies from one to the next, so that images differ."""
    noise = torch.randn(n, 1, 16, 16, generator=g)
    smooth = torch.nn.functional.avg_pool2d(noise, 3, 1, 1)
    gain = torch.rand(n, 1, 1, 1, generator=g) + 0.5
    return 0.4 * gain * (blur * smooth + (1 - blur) * noise)


def variety(g: torch.Generator) -> Score:
    images = pictures(200, 0.5, g)
    return metrics.ms_ssim_variety(fake=images, peak=2.0, pairs=300, scales=1, rng=g)


def ring(g: torch.Generator) -> Score:
    found = metrics.radial_spectrum(pictures(200, 0.5, g))
    low, high = float(found.low[3]), float(found.high[3])
    return Score(value=float(found.power[3]), interval=(low, high))


def spectra(blur: float, g: torch.Generator) -> Score:
    return metrics.spectrum_distance(real=pictures(200, 0.5, g), fake=pictures(200, blur, g))


def path(trim: float, g: torch.Generator) -> Score:
    """A linear generator: the lengths are squared gaps of its latents."""
    return metrics.perceptual_path_length(
        lambda w: w,
        lambda x, y: (x - y).square().sum(1),
        starts=normal(300, 4, g),
        ends=normal(300, 4, g),
        trim=trim,
    )


def noisy(metric, g: torch.Generator, count: int = 200, side: int = 8) -> Score:
    """A generator of flat images whose noise differs in strength from latent to latent."""

    def render(latents: Tensor, matrices: Tensor) -> Tensor:
        noise = torch.randn(len(latents), 1, side, side, generator=g)
        return latents.exp()[:, :, None, None].float() * 0.1 * noise

    return metric(render, 0.3 * normal(count, 1, g), rng=g)


CASES = [
    Case("frechet_distance", "shift ½, d 8", 300, partial(two, metrics.frechet_distance, shifted)),
    Case("frechet_distance", "scale 1.5, d 8", 300, partial(two, metrics.frechet_distance, wider)),
    Case(
        "frechet_distance",
        "scale 1.5, d 32",
        400,
        partial(two, metrics.frechet_distance, wider, n=400, d=32),
    ),
    Case("frechet_distance", "log-normal, scale 1.3, d 8", 500, log_normal),
    Case("fd_infinity", "scale 1.5, d 8", 300, infinity),
    Case(
        "kernel_distance",
        "shift ½, d 8",
        300,
        partial(two, metrics.kernel_distance, shifted),
        truth=kernel_truth(0.5, 1.0, 8),
    ),
    Case(
        "kernel_distance",
        "scale 1.5, d 8",
        300,
        partial(two, metrics.kernel_distance, wider),
        truth=kernel_truth(0.0, 1.5, 8),
    ),
    *[
        Case(name, f"{law}, d {d}", 300, partial(two, part(metric, name), change, d=d))
        for metric, names in (
            (metrics.precision_recall, ("precision", "recall")),
            (metrics.density_coverage, ("density", "coverage")),
        )
        for name in names
        for law, change, d in (("shift ½", shifted, 8), ("the reals' law", same, 32))
    ],
    Case("inception_score", "normal logits, 8 classes, 10 splits", 400, partial(inception, 10)),
    Case("inception_score", "normal logits, 8 classes, 1 split", 400, partial(inception, 1)),
    Case("mind", "shift ½, d 8, 100 directions", 300, partial(projected, metrics.mind)),
    Case(
        "sliced_wasserstein",
        "shift ½, d 8, 100 directions",
        300,
        partial(projected, metrics.sliced_wasserstein),
    ),
    Case(
        "vendi",
        "shift ½, d 8",
        300,
        lambda g: metrics.vendi(fake=shifted(normal(300, 8, g))),
    ),
    Case(
        "vendi",
        "shift ½, d 32",
        300,
        lambda g: metrics.vendi(fake=shifted(normal(300, 32, g))),
    ),
    Case("birthday_support", "500 outcomes alike", 300, partial(birthday, EVEN), simpson(EVEN)),
    Case("birthday_support", "600 unlike", 300, partial(birthday, SLOPING), simpson(SLOPING)),
    Case("authenticity", "half near-copies, d 8", 300, copies),
    Case("authenticity", "scale 1.2, d 8", 300, partial(conditioned, metrics.authenticity, 1.2)),
    Case("c_t", "the reals' law, d 8", 300, partial(conditioned, metrics.c_t, 1.0)),
    Case("c_t", "scale 1.2, d 8", 300, partial(conditioned, metrics.c_t, 1.2)),
    Case("feature_likelihood_divergence", "scale 1.2, d 8", 200, divergence),
    Case("classifier_scores gan_train", "4 classes, d 4", 300, partial(classifier, "gan_train")),
    Case("classifier_scores gan_test", "4 classes, d 4", 300, partial(classifier, "gan_test")),
    Case("ms_ssim_variety", "random fields, 300 pairs", 200, variety),
    Case("radial_spectrum", "random fields, ring 3", 200, ring),
    Case("spectrum_distance", "random fields, smoother", 200, partial(spectra, 0.8)),
    Case("perceptual_path_length", "linear generator, untrimmed", 300, partial(path, 0.0), 8.0),
    Case("perceptual_path_length", "linear generator, trimmed", 300, partial(path, 0.01)),
    Case(
        "translation_equivariance",
        "noise of random strength",
        200,
        partial(noisy, metrics.translation_equivariance),
    ),
    Case(
        "translation_equivariance",
        "the same, fractions too",
        200,
        partial(noisy, partial(metrics.translation_equivariance, fractional=True)),
    ),
    Case(
        "rotation_equivariance",
        "noise of random strength",
        40,
        partial(noisy, metrics.rotation_equivariance, count=40, side=20),
    ),
]
