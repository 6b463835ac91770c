"""Each failure is named when its signals last, and its override can be typed."""

from __future__ import annotations

from typing import get_args

import pytest

from zerosum.core.game import Progress
from zerosum.core.overrides import parse
from zerosum.core.registry import recipe
from zerosum.doctor.event import Event, Failure
from zerosum.doctor.rules import RULES, derived

HEALTHY = {
    "skipped": 0.0,
    "stride/discriminator": 3e-3,
    "stride/generator": 2e-3,
    "rate/discriminator": 1.0,
    "rate/generator": 1.0,
    "growth/generator": 0.1,
    "jump/generator": 1.02,
    "pull/generator": 2.0,
    "uneven": 1.5,
    "critic_auc": 0.8,
    "overfit_auc": 0.55,
    "nn_accuracy": 0.75,
    "copying": 1.3,
    "coverage": 0.8,
    "variety": 0.95,
    "lasting_variety": 0.95,
    "directions": 4.0,
    "effect": 1.2,
    "class_agreement": 0.9,
    "leak": 0.05,
    "swing": 0.1,
    "progress": 0.3,
}
SICK = {
    "skipped": {"skipped": 0.1},
    "broken": {"broken": 1.0},
    "stride up": {"stride/generator": 0.2},
    "jump": {"jump/generator": 5.0, "coverage": 0.0},
    "growth": {"growth/generator": 2.5},
    "stride down": {"stride/generator": 1e-9},
    "uneven": {"uneven": 500.0, "nn_accuracy": 1.0},
    "pull": {"pull/generator": 1e-4, "critic_auc": 1.0},
    "leak": {"leak": -0.1},
    "effect": {"effect": 0.01},
    "class_agreement": {"class_agreement": 0.05},
    "nn_accuracy": {"nn_accuracy": 0.2},
    "copying": {"copying": 0.2},
    "overfit_auc": {"overfit_auc": 0.95},
    "directions": {"directions": 1.01},
    "variety": {"lasting_variety": 0.1, "coverage": 0.1},
    "swing": {"swing": 1.5, "progress": 0.1},
}
NAMES = {
    "exploding": ("skipped", "broken", "stride up", "jump", "growth"),
    "dead run": ("stride down",),
    "imbalance": ("uneven",),
    "vanishing gradient": ("pull",),
    "augmentation leak": ("leak",),
    "condition ignored": ("effect", "class_agreement"),
    "memorisation": ("nn_accuracy", "copying"),
    "discriminator overfit": ("overfit_auc",),
    "ill-conditioned generator": ("directions",),
    "mode collapse": ("variety",),
    "oscillation": ("swing",),
}
END = Progress(1000, 64_000, 64_000)


def named(rows: list[dict], now: Progress = END, name: str = "dcgan/digits") -> list[Event]:
    found = (rule.event(rows, now, recipe(name)) for rule in RULES)
    return [event for event in found if event is not None]


def test_every_failure_has_a_rule_or_a_look_at_the_data():
    assert {rule.failure for rule in RULES} | {"data problem"} == set(get_args(Failure))
    assert {rule.failure for rule in RULES} == set(NAMES)


def test_a_healthy_run_is_left_in_peace():
    assert named([HEALTHY] * 12) == []


@pytest.mark.parametrize(
    "signals",
    [
        {"jump/generator": 5.0},  # weights of a hundredth at first, samples already near
        {"stride/discriminator": 0.07},  # spectral normalisation leaves the length free
        {"lasting_variety": 0.1, "coverage": 0.1, "variety_trend": 1.5},  # late, but learning
        {"swing": 1.5, "progress": 0.8},  # on its way
        {"leak": -0.0278, "variety": 0.0358},  # as of 300 photos, augmented on both sides, early
    ],
)
def test_what_a_healthy_game_may_do_is_not_named(signals):
    assert named([{**HEALTHY, **signals}] * 12) == []


@pytest.mark.parametrize(
    ("failure", "key"), [(failure, key) for failure, keys in NAMES.items() for key in keys]
)
def test_a_failure_that_lasts_is_named_with_its_evidence(failure, key):
    rows = [HEALTHY] * 6 + [{**HEALTHY, **SICK[key]}] * 6
    (event,) = named(rows)
    assert event.failure == failure
    assert event.value == next(iter(SICK[key].values()))
    assert event.remedy and "{" not in event.evidence
    assert event.failure in str(event) and event.evidence in str(event)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.failure}-{rule.signal}")
def test_less_than_the_window_or_too_early_is_not_named(rule):
    key = next(k for k in NAMES[rule.failure] if rule.holds({**HEALTHY, **SICK[k]}))
    sick = {**HEALTHY, **SICK[key]}
    few = [HEALTHY] * 6 + [sick] * (rule.window - 1)
    assert rule.event(few, END, recipe("dcgan/digits")) is None
    if rule.after:
        early = Progress(1, int(rule.after * 64_000) - 64, 64_000)
        assert rule.event([sick] * 12, early, recipe("dcgan/digits")) is None


@pytest.mark.parametrize("name", ["dcgan/digits", "rpgan/digits", "gan/digits", "toy/ring"])
@pytest.mark.parametrize("key", SICK)
def test_overrides_can_be_typed(name, key):
    (event,) = named([{**HEALTHY, **SICK[key]}] * 12, name=name)
    if event.override:
        changes = dict(parse(word) for word in event.override.split())
        assert recipe(name).override(changes) != recipe(name)


def row(mean: float, **signals: float) -> dict:
    return {"signals": signals, "mean": [mean, 0.0]}


def test_derived_signals_come_from_the_rows_before():
    rows = [row(0.0, **{"gradient/g": 0.1, "weights/g": 5.0, "variety": 1.0}) for _ in range(5)]
    assert "swing" not in derived(rows)
    there_and_back = [row(float(i % 2), **{"gradient/g": 0.1, "variety": 0.5}) for i in range(5)]
    last = row(1.0, **{"gradient/g": 10.0, "weights/g": 3.0, "variety": 0.9,
                       "stride/a": 0.02, "stride/b": 0.001})  # fmt: skip
    found = derived([*there_and_back, last])
    assert found["growth/g"] == pytest.approx(2)
    assert found["pull/g"] == pytest.approx(30)
    assert found["uneven"] == pytest.approx(20)
    assert found["lasting_variety"] == pytest.approx(0.5)
    assert found["swing"] == pytest.approx(1)
    assert found["progress"] == pytest.approx(1 / 5)


def test_variety_is_compared_with_six_looks_before():
    looks: list[dict] = []
    for value in (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2):
        look = row(0.0, variety=value)
        look["signals"] |= derived([*looks, look])
        looks.append(look)
    assert "variety_trend" not in looks[10]["signals"]
    assert looks[11]["signals"]["variety_trend"] == pytest.approx(2)
