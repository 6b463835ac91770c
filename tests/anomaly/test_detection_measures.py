"""Measures of detectors by hand, thresholds, and intervals."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from zerosum.errors import UserError
from zerosum.metrics.detection import (
    Detected,
    auroc,
    average_precision,
    detection,
    f1_above,
    false_alarms,
    threshold_of,
)

SCORES = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
TRUTH = np.array([False, True, False, True, True])


def test_values_by_hand():
    # Of 6 pairs of an anomaly and a normal example one is the wrong way round: 2 below 3.
    assert auroc(SCORES, TRUTH) == pytest.approx(5 / 6)
    # Down the list: hits at ranks 1, 2 and 4.
    assert average_precision(SCORES, TRUTH) == pytest.approx((1 + 1 + 3 / 4) / 3)
    # All three anomalies must be found, so all from 2 on is called one: one normal of two.
    assert false_alarms(SCORES, TRUTH) == 0.5
    # Above 3.5 two are called, both rightly; one is missed.
    assert f1_above(3.5)(SCORES, TRUTH) == pytest.approx(2 * 2 / (2 + 3))
    assert auroc(np.ones(5), TRUTH) == 0.5
    many = np.random.default_rng(0).integers(0, 9, 300)  # with many ties
    truth = many + np.random.default_rng(1).normal(0, 5, 300) > 6
    assert auroc(many.astype(float), truth) == pytest.approx(roc_auc_score(truth, many))


def test_fpr95_lets_one_anomaly_in_twenty_go():
    truth = np.arange(40) < 20
    scores = np.where(truth, 10.0, 5.0)
    scores[0] = 0.0  # the one that may be missed
    assert false_alarms(scores, truth) == 0
    scores[1] = 0.0  # two are one too many
    assert false_alarms(scores, truth) == 1


def test_a_threshold_is_a_quantile_of_normal_scores():
    normal = np.arange(1.0, 21.0)
    assert threshold_of(normal, 0.95) == 19  # 19 of 20 do not pass it
    assert threshold_of(normal, 1.0) == 20
    with pytest.raises(UserError, match="no share"):
        threshold_of(normal, 95)
    with pytest.raises(UserError, match=r"data\.holdout"):
        threshold_of(normal[:0])


def test_intervals_hold_what_is_known_and_the_threshold_never_sees_the_test():
    rng = np.random.default_rng(0)
    truth = np.repeat([False, True], 300)
    scores = rng.normal(size=600) + truth  # normal laws one deviation apart
    normal = rng.normal(size=200)
    found = detection(Detected(scores, truth, normal))
    low, high = found["auroc"].interval
    assert low < 0.7602 < high  # Phi(1 / sqrt 2)
    assert high - low == pytest.approx(4 * 0.0197, rel=0.2)  # Hanley and McNeil 1982: 0.0197
    shifted = Detected(scores + 100, truth, normal)
    assert shifted.threshold == Detected(scores, truth, normal).threshold
    with pytest.raises(UserError, match="600 examples are all normal"):
        Detected(scores, truth & False, normal).taken(auroc)
