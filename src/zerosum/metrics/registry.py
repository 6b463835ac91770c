"""Metrics by the names that a command line gives them, with what each needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from typing import Literal

from zerosum import metrics
from zerosum.errors import UserError, nearest
from zerosum.metrics.detection import (
    Measure,
    auroc,
    average_precision,
    f1_above,
    false_alarms,
)
from zerosum.metrics.neighbours import own_radii
from zerosum.metrics.record import Setting
from zerosum.metrics.score import Score, around
from zerosum.metrics.sets import Sets

NEAR = 0.05
"""Share of reals whose nearest neighbour counts as a near-duplicate."""
Better = Literal["lower", "higher"]


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


def _likelihood(sets: Sets) -> list[Taken]:
    found = sets.held_out_likelihood()
    score = Score(
        value=found.mean().item(),
        interval=around(found.mean().item(), found.var().item() / len(found)),
        n_real=len(found),
    )
    return [("likelihood", score, {"unit": "nats per number", "held_out": len(found)})]


def _detection(name: str, measure: Measure) -> Callable[[Sets], list[Taken]]:
    def run(sets: Sets) -> list[Taken]:
        found = sets.detected()
        about: dict[str, Setting] = {
            "test": len(found.scores),
            "anomalies": int(found.truth.sum()),
        }
        return [(name, found.taken(measure), about)]

    return run


def _f1(sets: Sets) -> list[Taken]:
    found = sets.detected()
    about: dict[str, Setting] = {"quantile": found.quantile, "threshold": found.threshold}
    about |= {"test": len(found.scores), "anomalies": int(found.truth.sum())}
    return [("f1", found.taken(f1_above(found.threshold)), about)]


def _birthday_support(sets: Sets) -> list[Taken]:
    """Near-duplicates are nearer than all but a few reals are to their nearest neighbour."""
    threshold = float(own_radii(sets.real.features, 1).quantile(NEAR))
    score = metrics.birthday_support(fake=sets.fake.features, threshold=threshold)
    return [("birthday-support", score, {"quantile": NEAR, "threshold": threshold})]


def _cas(sets: Sets) -> list[Taken]:
    fresh = sets.fresh("cas")
    assert sets.real.labels is not None and sets.fake.labels is not None
    assert fresh.labels is not None
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
        better: Which way is better, for all of its scores or by their names; scores that it does
            not name have no better side.
        ceiling: Whether held-out reals can take the fakes' place; not so where the metric
            compares with held-out reals already.
        takes: `features` of any extractor, or the `examples` (or objects) themselves.
        needs: Fields that reals and fakes must have.
        paired: Whether it compares answers with the true ones, for games with inputs.
        of_game: Whether it asks the generator itself, and not its samples.
        of_return: Whether it asks the generator to map its answers back.
        of_detector: Whether it asks a detector for scores of the data's test part.
        unseen: Whether it needs held-out examples.
    """

    run: Callable[[Sets], list[Taken]]
    better: Better | Mapping[str, Better]
    ceiling: bool = True
    takes: Literal["features", "examples"] = "features"
    needs: tuple[str, ...] = ()
    paired: bool = False
    of_game: bool = False
    of_return: bool = False
    of_detector: bool = False
    unseen: bool = False

    def side(self, label: str) -> Better | None:
        """Which way one of its scores is better."""
        if isinstance(self.better, Mapping):
            return self.better.get(label)
        return self.better

    def take(self, name: str, sets: Sets) -> list[Taken]:
        """Its scores.

        Raises:
            UserError: A field that it needs is missing, or it cannot be taken on these sets.
        """
        self.check(name, sets)
        for one in self.needs:
            if one not in sets.real.examples or one not in sets.fake.examples:
                raise UserError(
                    f"{name} needs '{one}' of reals and fakes, which these lack: leave it out"
                )
        return self.run(sets)

    def check(self, name: str, sets: Sets) -> None:
        """Refuse what the generator or the data cannot give, whatever the samples are.

        Raises:
            UserError: As it says.
        """
        if self.paired and sets.truth is None:
            raise UserError(f"{name} compares answers with true ones: it is for games that map")
        if self.of_game and sets.asked.likelihood is None:
            raise UserError(
                f"{name} asks how probable a model holds examples, which this one does not say "
                "(vae, realnvp, flowgan and ddpm do): leave it out"
            )
        if self.of_return and sets.asked.returned is None:
            raise UserError(
                f"{name} maps answers back, for which a model must go both ways (cyclegan does): "
                "leave it out"
            )
        if self.of_detector and sets.asked.detection is None:
            raise UserError(
                f"{name} is for detectors (anogan, f_anogan, ganomaly) on data with a test part "
                "of both kinds: leave it out"
            )
        if self.unseen:
            sets.fresh(name)


DETECTION = Metric(_f1, "higher", ceiling=False, takes="examples", of_detector=True)
"""What the measures of a detector have in common."""

GENERAL: Mapping[str, Metric] = {
    "fd": Metric(_fd, "lower"),
    "kd": Metric(_kd, "lower"),
    "prdc": Metric(_prdc, "higher"),
    "is": Metric(_is, "higher"),
    "mind": Metric(_mind, "lower"),
    "sliced-wasserstein": Metric(_sliced_wasserstein, "lower"),
    "vendi": Metric(_vendi, "higher"),
    "fd-infinity": Metric(_fd_infinity, "lower"),
    "authenticity": Metric(_authenticity, "higher", ceiling=False, unseen=True),
    "ct": Metric(_c_t, {}, ceiling=False, unseen=True),
    "fld": Metric(_fld, "lower", ceiling=False, unseen=True),
    "cas": Metric(
        _cas,
        {"gan-train": "higher", "gan-test": "higher"},
        ceiling=False,
        needs=("label",),
        unseen=True,
    ),
    "likelihood": Metric(
        _likelihood, "higher", ceiling=False, takes="examples", of_game=True, unseen=True
    ),
    "birthday-support": Metric(_birthday_support, "higher"),
    "auroc": replace(DETECTION, run=_detection("auroc", auroc)),
    "ap": replace(DETECTION, run=_detection("ap", average_precision)),
    "f1": replace(DETECTION, run=_f1),
    "fpr95": replace(DETECTION, run=_detection("fpr95", false_alarms), better="lower"),
}
"""Metrics on features, which any kind of data has. A modality adds its own."""

GROUP = "zerosum.metrics"
"""Entry points of outside packages: a name, and a `Metric`."""


@cache
def installed() -> Mapping[str, Metric]:
    """Metrics of outside packages."""
    return {point.name: point.load() for point in entry_points(group=GROUP)}


def known_metrics(own: Mapping[str, Metric]) -> dict[str, Metric]:
    """All metrics for a kind of data.

    Args:
        own: Those of its modality.
    """
    return {**installed(), **GENERAL, **own}


def parse_metrics(text: str, known: Mapping[str, Metric] = GENERAL) -> list[str]:
    """Names of a list such as `fd,kd,prdc`.

    Raises:
        UserError: A name is unknown, with the nearest ones, or there is none.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in known:
            raise UserError(f"there is no metric '{name}' for these data: {nearest(name, known)}")
    if not names:
        raise UserError("no metric named: write for example --metrics fd,kd,prdc")
    return list(dict.fromkeys(names))
