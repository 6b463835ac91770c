"""The doctor beside a training: watch changes nothing, stop saves, act records and resumes."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from zerosum.core.registry import recipe
from zerosum.doctor.doctor import Doctor
from zerosum.modalities import modality
from zerosum.records import append_line
from zerosum.training import checkpoint
from zerosum.training.run import RunFolder
from zerosum.training.trainer import Trainer
from zerosum.training.watch import Alarm

TINY = recipe("dcgan/tiny").override(
    {"train.examples": 960, "train.checkpoint_every": 320, "train.sheet_every": 960,
     "evaluate.samples": 0, "doctor.every": 64, "train.keep": 9}
)  # fmt: skip
STILL = {"optim.generator.lr": 1e-9}
"""A dead generator: named after three checkups."""


@pytest.fixture(scope="module", autouse=True)
def patient():
    """Steps this small cost less than a look: let watching take all the time it wants."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zerosum.doctor.doctor.SHARE", 1e9)
        yield


def train(out, **changes):
    Trainer(TINY.override(changes), out, device="cpu", quiet=True).fit()
    return out


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def weights(run):
    newest, _ = checkpoint.latest(RunFolder(run).checkpoints)
    return checkpoint.load(newest)


def same(a, b):
    assert a.game.keys() == b.game.keys()
    assert all(torch.equal(value, b.game[name]) for name, value in a.game.items())
    assert all(torch.equal(value, b.ema[name]) for name, value in a.ema.items())


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    return train(tmp_path_factory.mktemp("runs") / "watched", **STILL)


def test_watching_changes_no_weight(watched, tmp_path):
    alone = train(tmp_path / "alone", **STILL, **{"doctor.policy": "off"})
    same(weights(watched), weights(alone))
    assert not (alone / "checkups.jsonl").exists()


def test_signals_and_failures_are_written_down(watched):
    checkups = rows(watched / "checkups.jsonl")
    assert [row["seen"] for row in checkups] == list(range(64, 961, 64))
    assert {"critic_auc", "variety", "r_v", "directions", "copying"} <= set(checkups[0]["signals"])
    events = rows(watched / "events.jsonl")
    dead = next(event for event in events if event["failure"] == "dead run")
    assert dead["seen"] == 3 * 64 and dead["signal"] == "stride/generator"
    assert dead["override"] == "optim.generator.lr=0.0002" and dead["action"] == ""
    assert sum(event["failure"] == "dead run" for event in events) == 1
    assert "dead run" in checkups[-1]["failures"]


def test_a_resumed_run_is_told_the_same(watched, tmp_path):
    """Stopped after a third, with checkups of a part that was lost."""
    copy = tmp_path / "copy"
    shutil.copytree(watched, copy)
    for path in sorted(RunFolder(copy).checkpoints.iterdir())[1:]:
        shutil.rmtree(path)
    append_line(
        copy / "checkups.jsonl", {"seen": 2_000, "signals": {}, "mean": [], "failures": []}
    )
    train(copy, **STILL)
    assert rows(copy / "checkups.jsonl") == rows(watched / "checkups.jsonl")
    assert rows(copy / "events.jsonl") == rows(watched / "events.jsonl")


def test_stop_saves_the_state_and_says_why(tmp_path):
    out = tmp_path / "stopped"
    with pytest.raises(Alarm, match=r"the state is saved: dead run: .*optim.generator.lr=0.0002"):
        train(out, **STILL, **{"doctor.policy": "stop"})
    assert weights(out).state["seen"] == 3 * 64
    train(out, **STILL)  # and it goes on under another policy
    assert weights(out).state["seen"] == 960


@pytest.fixture(scope="module")
def treated(tmp_path_factory):
    return train(tmp_path_factory.mktemp("runs") / "act", **STILL, **{"doctor.policy": "act"})


def test_act_does_what_it_says(treated, watched):
    event = next(row for row in rows(treated / "events.jsonl") if row["failure"] == "dead run")
    assert event["action"].startswith("learning rate of the generator x 2e+05")
    state = weights(treated).state["treatment"]
    assert state["factors"]["generator"] > 1e3 and state["taken"] >= 1
    signals = [row["signals"]["stride/generator"] for row in rows(treated / "checkups.jsonl")]
    assert max(signals[:3]) < 1e-6 and min(signals[4:7]) > 1e-4
    assert checkpoint.checkpoints(treated / "start") and checkpoint.checkpoints(treated / "good")


def test_a_treated_run_resumes_exactly(treated, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(treated, copy)
    for path in sorted(RunFolder(copy).checkpoints.iterdir())[1:]:
        shutil.rmtree(path)
    train(copy, **STILL, **{"doctor.policy": "act"})
    same(weights(copy), weights(treated))
    assert rows(copy / "events.jsonl") == rows(treated / "events.jsonl")


def test_a_run_stopped_at_its_treatment_resumes_exactly(treated, tmp_path):
    """The look that led to the treatment is the last one there is."""
    event = next(row for row in rows(treated / "events.jsonl") if row["failure"] == "dead run")
    out = tmp_path / "run"
    every = {"train.checkpoint_every": 64}
    train(out, **STILL, **{"doctor.policy": "act"}, **every)
    for path in RunFolder(out).checkpoints.iterdir():
        if checkpoint.load(path).state["seen"] > event["seen"]:
            shutil.rmtree(path)
    train(out, **STILL, **{"doctor.policy": "act"}, **every)
    same(weights(out), weights(treated))
    assert rows(out / "events.jsonl") == rows(treated / "events.jsonl")


def test_exploding_goes_back_to_the_last_good_weights(tmp_path):
    rates = {"optim.generator.lr": 0.5, "optim.discriminator.lr": 0.5}
    out = train(tmp_path / "hot", **rates, **{"doctor.policy": "act"})
    event = rows(out / "events.jsonl")[0]
    assert event["failure"] == "exploding"
    assert event["action"].startswith("back to the weights of 0 images, learning rate of the ")
    again = [row for row in rows(out / "events.jsonl") if row["failure"] == "exploding"]
    assert len(again) <= 8


def test_actions_are_bounded(tmp_path):
    rates = {"optim.generator.lr": 0.5, "optim.discriminator.lr": 0.5}
    policy = {"doctor.policy": "act", "doctor.actions": 0}
    out = train(tmp_path / "none", **rates, **policy)
    assert rows(out / "events.jsonl")[0]["action"] == "nothing: all actions are used up"
    assert "treatment" not in weights(out).state


def test_watching_takes_a_small_share_of_the_time(tmp_path, monkeypatch):
    monkeypatch.setattr("zerosum.doctor.doctor.SHARE", 0.0)
    out = train(tmp_path / "hurried")
    assert len(rows(out / "checkups.jsonl")) == 3


def test_the_interval_follows_the_length_of_the_run(tmp_path):
    from zerosum.core.runtime import Runtime
    from zerosum.training.prepare import prepare

    split, found = prepare(recipe("dcgan/tiny"), Runtime.start("cpu"))
    long = found.override({"train.examples": 1_000_000})
    out = RunFolder(tmp_path)
    assert Doctor(long, split, modality.find("images"), out.checkups, out.events).every == 25_000
    assert (
        Doctor(found, split, modality.find("images"), out.checkups, out.events).every == 25 * 16
    )  # a short run: every 25 steps
    assert (
        Doctor(
            long.override({"doctor.every": 77}),
            split,
            modality.find("images"),
            out.checkups,
            out.events,
        ).every
        == 77
    )


@pytest.mark.parametrize("name", ["tryon/tiny", "medgan/tiny", "latentgan/tiny", "timegan/tiny"])
def test_samples_are_judged_once_all_of_what_makes_them_learns(tmp_path, name):
    """An untrained generator behind a matcher that learns alone is no collapse."""
    asked = recipe(name)
    steps, batch = 12, asked.train.batch
    changes = {"train.examples": steps * batch, "evaluate.samples": 0, "doctor.every": batch}
    Trainer(asked.override(changes), tmp_path / "run", device="cpu", quiet=True).fit()
    looks = rows(tmp_path / "run" / "checkups.jsonl")
    assert [look["seen"] for look in looks] == [batch * step for step in range(1, steps + 1)]
    model = asked.model.model_dump()
    share = next(model[part] for part in ("warping", "pretrain", "foretell") if part in model)
    judged = [look["seen"] for look in looks if "variety" in look["signals"]]
    assert judged == [batch * step for step in range(1, steps + 1) if step - 1 >= share * steps]
    assert 0 < len(judged) < steps
    assert all(("critic_auc" in look["signals"]) == (look["seen"] in judged) for look in looks)
