"""Which examples are anomalies: scores, verdicts by a threshold from held-out normals, maps."""

from __future__ import annotations

from zerosum.pipelines.anomaly.detector import AnomalyDetector
from zerosum.pipelines.anomaly.folder import Judgement, judge_path

__all__ = ["AnomalyDetector", "Judgement", "judge_path"]
