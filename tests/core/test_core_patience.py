"""A run that ends where its score gets no better: with the best state, for good."""

from __future__ import annotations

import json

import pytest
import torch

from zerosum.core.registry import recipe
from zerosum.errors import UserError
from zerosum.pipelines.export import write
from zerosum.training import checkpoint
from zerosum.training.run import RunFolder, read_run
from zerosum.training.scores import RunJudge, closing, since_best
from zerosum.training.trainer import Trainer

ASKED = recipe("dcgan/tiny").override(
    {"evaluate.every": 80, "evaluate.samples": 80, "doctor.policy": "off", "train.keep": 9,
     "train.checkpoint_every": 80, "evaluate.patience": 2}
)  # fmt: skip


VALUES = {80: 5.0, 160: 3.0, 240: 4.0, 320: 3.5, 400: 1.0, 480: 2.0, 560: 2.5, 640: 0.5}
"""The first score by examples seen: without patience the last is best, with 2 the second."""


@pytest.fixture(scope="module", autouse=True)
def scores():
    taken = RunJudge.row

    def row(judge, game, *, averaged):
        found = taken(judge, game, averaged=averaged)
        found["scores"]["fd-pixels"] = VALUES[game.progress.seen]
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunJudge, "row", row)
        yield


def rows_of(out):
    return [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]


def fit(out, **changes):
    return Trainer(ASKED.override(changes), out, device="cpu", quiet=True).fit()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    fit(out, **{"evaluate.patience": 0})
    return out, rows_of(out)


@pytest.fixture(scope="module")
def early(tmp_path_factory):
    out = tmp_path_factory.mktemp("early") / "run"
    return out, fit(out)


def test_the_run_ends_with_its_best_state(whole, early):
    out, game = early
    rows, best = whole[1][:4], whole[1][1]
    assert [row["seen"] for row in whole[1]] == list(VALUES)
    assert rows_of(out) == rows and best["seen"] == 160
    assert game.progress.seen == best["seen"]
    same = checkpoint.load(RunFolder(whole[0]).checkpoints / f"step_{best['step']:08d}")
    state = game.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in same.ema.items())
    assert read_run(out).game.progress.seen == best["seen"]
    assert closing(rows_of(out), 2) == best


def test_the_same_command_again_changes_nothing(early, capsys):
    out, game = early
    before = (out / "scores.jsonl").read_bytes(), (out / "log.jsonl").read_bytes()
    again = Trainer(ASKED, out, device="cpu").fit()
    assert again.progress.seen == game.progress.seen
    assert ((out / "scores.jsonl").read_bytes(), (out / "log.jsonl").read_bytes()) == before
    state = game.state_dict()
    assert all(torch.equal(v, state[n]) for n, v in again.state_dict().items() if "." in n)
    assert "ended" in capsys.readouterr().err


def test_more_patience_goes_on_as_if_it_had_never_ended(whole, early, tmp_path):
    out = tmp_path / "run"
    fit(out)
    fit(out, **{"evaluate.patience": 0})
    assert rows_of(out) == whole[1]


def test_the_model_card_tells_of_the_state_that_is_exported(early, tmp_path):
    out, game = early
    saved = read_run(out)
    write(saved.game, saved.recipe, saved.codec, tmp_path / "model", RunFolder(out).scores)
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    seen = f"{game.progress.seen:,}"
    assert f"| examples seen | {seen} |" in card and f"after {seen} examples" in card


def test_a_likelihood_is_refused_where_the_game_has_none_before_the_first_step(tmp_path):
    with pytest.raises(UserError, match="likelihood asks how probable"):
        fit(tmp_path / "run", **{"evaluate.metrics": ["likelihood"]})
    assert not list((tmp_path / "run").glob("log.jsonl"))


@pytest.mark.parametrize(
    ("values", "better", "waited"),
    [([3, 2, 1], "lower", 0), ([1, 2, 3], "lower", 2), ([1, 3, 2], "higher", 1),
     ([2, 1, 1, 4], "lower", 1), ([], "lower", 0)],
)  # fmt: skip
def test_waiting_is_counted_from_the_newest_best_score(values, better, waited):
    rows = [{"scores": {"s": value}, "better": {"s": better}} for value in values]
    assert since_best(rows) == waited
