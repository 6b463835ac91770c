"""Scores on the way: which features and metrics, and the checkpoint with the best of them."""

from __future__ import annotations

import json

import pytest
import torch

from zerosum.core.draw import draw
from zerosum.core.registry import recipe, system
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.metrics import frechet_distance
from zerosum.modalities import modality
from zerosum.pipelines.generate import Generator
from zerosum.training import checkpoint
from zerosum.training.run import RunFolder, read_run
from zerosum.training.scores import RunJudge, is_best
from zerosum.training.trainer import Trainer

TINY = recipe("dcgan/tiny").override(
    {"evaluate.every": 160, "evaluate.samples": 80, "doctor.policy": "off", "train.keep": 9,
     "train.checkpoint_every": 160, "optim.generator.lr": 2e-2}
)  # fmt: skip


def scored(out, **changes):
    Trainer(TINY.override(changes), out, device="cpu", quiet=True).fit()
    return [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("best") / "run"
    return out, scored(out)


def test_the_checkpoint_of_the_best_score_is_kept(run):
    out, rows = run
    first = [row["scores"]["fd-pixels"] for row in rows]
    assert len(first) == 4 and len(set(first)) == 4
    seen = rows[first.index(min(first))]["seen"]
    (kept,) = checkpoint.checkpoints(RunFolder(out).best)
    best = checkpoint.load(kept)
    assert best.state["seen"] == seen
    same = checkpoint.load(RunFolder(out).checkpoints / kept.name)
    assert all(torch.equal(value, same.ema[name]) for name, value in best.ema.items())


def test_a_runs_best_is_loaded_by_its_folder(run):
    out, _ = run
    (kept,) = checkpoint.checkpoints(RunFolder(out).best)
    saved = read_run(out / "best")
    game, snapshot = saved.game, saved.snapshot
    found = saved.recipe
    assert found.system == "dcgan" and game.progress.seen == checkpoint.load(kept).state["seen"]
    assert snapshot.ema.keys() <= game.state_dict().keys()
    assert all(torch.equal(game.state_dict()[name], v) for name, v in snapshot.ema.items())
    assert Generator.load(out / "best").draw(4, seed=0)["image"].shape == (4, 1, 8, 8)


def test_a_runs_best_has_the_records_of_its_run(run):
    from zerosum.pipelines.examine import examine
    from zerosum.pipelines.report.facts import read

    out, _ = run
    RunFolder(out).checkups.write_text('{"seen": 80, "signals": {}, "failures": []}\n')
    assert examine(out / "best").checkups == examine(out).checkups != []
    whole, best = read(out), read(out / "best")
    assert (whole.name, best.name) == ("run", "run/best")
    assert best.log == whole.log != [] and best.sheets == whole.sheets != []


def test_without_scores_on_the_way_there_is_no_best(tmp_path):
    scored(tmp_path / "run", **{"evaluate.every": 0})
    assert not (tmp_path / "run" / "best").exists()


def test_features_and_metrics_may_be_asked_for(tmp_path):
    asked = {"evaluate.features": "cnn-digits", "evaluate.metrics": ["kd", "prdc", "is"]}
    row = scored(tmp_path / "run", **asked)[-1]
    names = ["kd", "precision", "recall", "density", "coverage", "is"]
    assert list(row["scores"]) == [f"{name}-cnn-digits" for name in names]
    low, high = row["intervals"]["kd-cnn-digits"]
    assert low < row["scores"]["kd-cnn-digits"] < high
    assert row["protocol"]["features"] == "cnn-digits"
    assert set(row["reference"]) == set(row["scores"])


@pytest.mark.parametrize(
    ("changes", "naming"),
    [
        ({"evaluate.metrics": ["fdd"]}, "no metric 'fdd'"),
        ({"evaluate.features": "cnn-digit"}, "cnn-digits"),
        ({"evaluate.metrics": ["is"]}, "class scores"),
    ],
)
def test_what_cannot_be_taken_is_refused_before_the_first_step(tmp_path, changes, naming):
    with pytest.raises(UserError, match=naming):
        scored(tmp_path / "run", **changes)
    assert not list((tmp_path / "run").glob("log.jsonl"))


def test_raw_scores_are_what_they_were():
    split, kind = TINY.data.open(), modality.of(TINY.data)
    game = system("dcgan").game(TINY.matched(DataSpec(split.train.fields)).model)
    judge = RunJudge.of(split, kind, game, TINY.evaluate, "digits")
    row = judge.row(game, averaged=False)
    rows = draw(game, 80, 0)["image"].flatten(1).double()
    expected = frechet_distance(real=judge.real.features, fake=rows, interval=False).value
    assert row["scores"]["fd-pixels"] == pytest.approx(expected)
    assert list(row["scores"]) == ["fd-pixels", "precision (k=5)", "recall (k=5)"]


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [("fd-pixels", [3, 2, 1], True), ("fd-pixels", [3, 1, 2], False),
     ("recall-x", [0.1, 0.2], True), ("recall-x", [0.2, 0.1], False), ("fd-x", [5], True)],
)  # fmt: skip
def test_best_is_lowest_or_highest_by_the_score(name, values, expected):
    better = {name: "higher" if name.startswith("recall") else "lower"}
    rows = [{"scores": {name: value, "other": 0}, "better": better} for value in values]
    assert is_best(rows) is expected
