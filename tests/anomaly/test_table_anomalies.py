"""Tables of anomalies: parts, rows that keep what is far out, and a table judged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

import zerosum
from zerosum.core.registry import recipe
from zerosum.errors import UserError
from zerosum.modalities.tables import TableAnomalies
from zerosum.pipelines.anomaly import AnomalyDetector, judge_path


@pytest.fixture
def table(tmp_path):
    """300 rows near a line, with a colour, and 20 anomalies off it."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=320)
    b = a + 0.05 * rng.normal(size=320) + np.repeat([0.0, 1.0], [300, 20])
    colour = np.where(a > 0, "red", "blue")
    frame = pd.DataFrame({"a": a, "b": b, "colour": colour, "state": ["ok"] * 300 + ["bad"] * 20})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path / "rows.csv"


def config(path, **more):
    return TableAnomalies(path=str(path), target="state", normal="ok", **more)


def test_parts_share_nothing_and_the_truth_is_no_column(table):
    split = config(table).open()
    assert (len(split.train), len(split.heldout), len(split.trial)) == (240, 30, 30 + 20)
    assert split.trial.fetch(range(50))["abnormal"].tolist() == [0] * 30 + [1] * 20
    assert [column.name for column in split.codec.columns] == ["a", "b", "colour"]
    rows = torch.cat(
        [part.fetch(range(len(part)))["row"] for part in (split.train, split.heldout)]
    )
    rest = split.trial.fetch(range(30))["row"]
    assert len({tuple(row) for row in torch.cat([rows, rest]).tolist()}) == 300


def test_a_number_is_its_distance_from_the_mean_however_far(table):
    split = config(table).open()
    train = split.train.fetch(range(240))["row"]
    assert train[:, 0].mean().abs() < 1e-6
    assert train[:, 0].std(correction=0).item() == pytest.approx(1 / 4, rel=1e-5)
    column = split.codec.columns[0]
    far = {"a": column.means[0] + 40 * column.stds[0], "b": 0.0, "colour": "red"}
    row = split.codec.encode([far] * 3)["row"]
    assert row[:, 0].tolist() == pytest.approx([10.0] * 3)
    assert torch.equal(row[0], row[2])  # wherever it stands


def test_what_is_wrong_is_said_in_one_line(table):
    with pytest.raises(UserError, match=r"data\.normal=VALUE which value of 'state'.*bad, ok"):
        TableAnomalies(path=str(table), target="state").open()
    with pytest.raises(UserError, match=r"'state' holds no 'okay' \(data\.normal\): did you mean"):
        TableAnomalies(path=str(table), target="state", normal="okay").open()
    with pytest.raises(UserError, match=r"data\.target=stat: .*did you mean state"):
        TableAnomalies(path=str(table), target="stat", normal="ok").open()
    pd.read_csv(table).head(19).to_csv(table, index=False)
    with pytest.raises(UserError, match="19 normal rows to learn from: 20 are the least"):
        config(table).open()


def test_another_path_forgets_the_column():
    assert config("a.csv").at("b.csv") == TableAnomalies(path="b.csv")


def test_a_table_is_learned_and_judged(table, tmp_path):
    changes = {"train.examples": 640, "train.batch": 32, "doctor.policy": "off"}
    small = recipe("ganomaly/mammography").override(changes)
    small = small.model_copy(update={"data": config(table)})
    zerosum.train(small, out=tmp_path / "run", device="cpu", quiet=True)
    detector = AnomalyDetector.load(tmp_path / "run")
    detected = detector.detected()
    found = judge_path(detector, str(table), tmp_path / "scores.csv")
    assert found.names[:2] == ["row 1", "row 2"] and len(found.names) == 320
    assert found.truth == [False] * 300 + [True] * 20
    known = roc_auc_score(found.truth, found.scores)
    assert found.measures["auroc"] == pytest.approx(known, abs=1e-12)
    assert set(detected.scores.tolist()) <= set(found.scores.tolist())
    frame = pd.read_csv(table)
    assert detector.score(frame).tolist() == found.scores.tolist()
    with pytest.raises(UserError, match="no pixels to be marked"):
        judge_path(detector, str(table), tmp_path / "s.csv", maps=tmp_path / "maps")
    frame.loc[3, "colour"] = "green"
    frame.to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(UserError, match=r"row 4: .*green.*--skip-bad"):
        judge_path(detector, str(tmp_path / "new.csv"), tmp_path / "s.csv")
    rest = judge_path(detector, str(tmp_path / "new.csv"), tmp_path / "s.csv", skip_bad=True)
    assert len(rest.names) == 319 and list(rest.unreadable) == ["row 4"]
