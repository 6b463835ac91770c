"""Searches around a preset: what is proposed, judged, resumed, refused and written."""

from __future__ import annotations

import csv
import os
import shlex
import signal

import pytest

import zerosum
from zerosum.core import registry
from zerosum.core.recipe import Recipe
from zerosum.core.search import Choice, Factor, space
from zerosum.errors import UserError
from zerosum.pipelines.tune import propose as proposing
from zerosum.pipelines.tune import search as searching
from zerosum.pipelines.tune import tune
from zerosum.pipelines.tune.propose import importance, limits, propose
from zerosum.pipelines.tune.records import Outcome, Plan, SearchFolder, Terms
from zerosum.pipelines.tune.trial import run_trial, trial_recipe
from zerosum.records import read_lines
from zerosum.training.interrupts import Stopped

RANGES = {"a": Factor(0.1, 10), "b": Factor(0.1, 10), "c": Choice(("x", "y"))}


@pytest.fixture
def thirty_steps(monkeypatch):
    """Trials of thirty steps, whatever the machine's pace."""
    monkeypatch.setattr(searching, "affordable", lambda recipe, *_: 30 * recipe.train.batch)


@pytest.fixture
def tiny():
    return zerosum.recipe("gan/tiny")


def trials(*losses, better="lower", state="complete"):
    """Trials with these scores at the end, and ten times as much at both stations."""
    return [
        (
            Plan(number=i, point={"a": 1.0 + i / 10, "b": 1.0, "c": "x"}, limits=[]),
            Outcome(
                number=i,
                state=state,
                better=better,
                scores=(10 * loss, 10 * loss, loss),
                seconds=2,
            ),
        )
        for i, loss in enumerate(losses)
    ]


def without_time(out):
    """Everything of the trials that timing must not change."""
    folder = SearchFolder(out)
    found, number = [], 0
    while folder.outcome(number):
        outcome = folder.outcome(number).model_dump(exclude={"seconds"})
        found.append((folder.plan(number), outcome))
        number += 1
    return found


# -- what is proposed ----------------------------------------------------------------------


def test_a_proposal_is_a_function_of_seed_number_and_outcomes():
    known = trials(3.0, 1.0, 2.0, 5.0, 4.0)
    first = propose(RANGES, known, 5, 1)
    assert propose(RANGES, known, 5, 1) == first
    assert set(first) == set(RANGES)
    assert all(0.1 <= first[name] <= 10 for name in "ab") and first["c"] in ("x", "y")
    assert propose(RANGES, known[:2], 2, 1) != propose(RANGES, known[:2], 3, 1)
    assert propose(RANGES, known[:2], 2, 9) != propose(RANGES, known[:2], 2, 1)


def test_the_search_goes_where_scores_are_good():
    """Twelve trials of a bowl in the logarithm whose bottom is at a = 5, b = 0.5."""
    from math import log

    known = []
    for number in range(12):
        point = propose(RANGES, known, number, 7) if number else {"a": 1.0, "b": 1.0, "c": "x"}
        loss = 0.1 + log(point["a"] / 5) ** 2 + log(point["b"] / 0.5) ** 2
        plan = Plan(number=number, point=point, limits=[])
        known.append((plan, Outcome(number=number, state="complete", scores=(loss,))))
    at_home = 0.1 + log(1 / 5) ** 2 + log(1 / 0.5) ** 2
    assert min(outcome.score for _, outcome in known) < 0.1 + 0.1 * (at_home - 0.1)


def test_a_trial_is_judged_by_the_median_of_those_before_it():
    assert limits(trials(1.0, 2.0, 4.0)) == []  # too few to judge by
    assert limits(trials(1.0, 2.0, 4.0, 8.0, 16.0)) == [40.0, 40.0]
    assert limits(trials(0.5, 0.25, 0.125, 0.75, 1.0, better="higher")) == [-5.0, -5.0]
    running = [(plan, None) for plan, _ in trials(9.0, 9.0)]
    assert limits([*trials(1.0, 2.0, 4.0), *running]) == []


def test_importance_names_the_number_that_matters():
    known = []
    for i in range(16):
        point = {"a": 10 ** (i % 4 / 2 - 0.8), "b": 10 ** (i // 4 / 2 - 0.8), "c": "xy"[i % 2]}
        plan = Plan(number=i, point=point, limits=[])
        known.append((plan, Outcome(number=i, state="complete", scores=(10.0 ** (i // 4),))))
    found = importance(RANGES, known)
    assert next(iter(found)) == "b" and found["b"] > 0.9
    assert sum(found.values()) == pytest.approx(1)
    assert importance(RANGES, known[: proposing.FEWEST - 1]) == {}
    assert importance(RANGES, trials(*[1.0] * 9)) == {}  # nothing differs


def test_failed_trials_count_as_the_worst_and_running_ones_not_yet():
    (_, bad), (_, good), (_, running) = trials(9.0, 1.0, 1.0)
    failed = bad.model_copy(update={"state": "failed"})
    first, second, third, last = proposing._values([good, bad, failed, None])
    assert first < second == third and last is None
    assert running is not None


# -- a search ------------------------------------------------------------------------------


def test_the_preset_is_the_first_trial_and_is_never_beaten_by_the_best(
    tiny, tmp_path, thirty_steps
):
    said = []
    found = tune(tiny, tmp_path / "s", trials=3, seconds=1, seed=5, say=said.append)
    own = trial_recipe(found.terms, found.trials[0][0])
    differing = set(tiny.differences(own))
    assert differing <= {"train.examples", "train.seed"} | {
        *(f"train.{one}" for one in ("checkpoint_every", "keep", "sheet_every", "log_every")),
        *("evaluate.every", "doctor.policy"),
    }
    zerosum.train(own, tmp_path / "own", device="cpu", quiet=True)
    rows = read_lines(tmp_path / "own/scores.jsonl")
    assert found.trials[0][1].scores == tuple(row["scores"]["fd-pixels"] for row in rows)
    assert len(rows) == 3 and rows[-1]["seen"] == 30 * tiny.train.batch
    scores = [outcome.score for _, outcome in found.trials]
    assert found.trials[found.best][1].score == min(scores)
    assert said[0] == f"1/3 trial 0, the preset: fd-pixels {scores[0]:.4g}"
    assert found.cost == pytest.approx(sum(outcome.seconds for _, outcome in found.trials))


def test_what_a_search_leaves(tiny, tmp_path, thirty_steps):
    asked = tiny.override({"train.batch": 8})
    found = tune(asked, tmp_path / "s", trials=3, seconds=1)
    folder = SearchFolder(tmp_path / "s")
    stored = Recipe.from_json(folder.recipe.read_text(), type(tiny.model))
    assert stored == found.recipe and stored.train.examples == 240
    assert asked.override(found.changes).differences(stored).keys() <= {"train.examples"}
    with folder.table.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["state"] for row in rows] == ["complete"] * 3
    assert [float(row["fd-pixels"]) for row in rows] == [one.score for _, one in found.trials]
    assert folder.finished() == (3, pytest.approx(found.cost))
    page = folder.page.read_text()
    assert f"{found.cost:,.0f} s of processor time" in page and "Too few trials" in page
    assert found.command.replace('"', "&#34;").replace("'", "&#39;") in page
    for path in space(asked, registry.system("gan").search):
        assert f"<th>{path}</th>" in page
    assert not list(tmp_path.glob("s/trials/*/run/checkpoints"))  # weights would fill the disk


def test_the_command_trains_the_best_recipe(tmp_path, thirty_steps):
    from zerosum.cli.train import _recipe

    asked = zerosum.recipe("rpgan/digits").override(
        {"evaluate.samples": 100, "optim.discriminator.lr": 1e-3}
    )
    plan = Plan(
        number=0, point={"optim.generator.lr": 2.0, "optim.*.betas": "[0.0, 0.9]"}, limits=[]
    )
    terms = Terms(
        recipe=asked.model_dump(mode="json"), module=None, seconds=1, seed=1, examples=640
    )
    ranges = space(asked, registry.system("rpgan").search)
    found = searching.Found(terms, ranges, ((plan, trials(1.0)[0][1]),), 0)
    words = shlex.split(found.command)
    assert words[:3] == ["zerosum", "train", "rpgan/digits"]
    assert not _recipe(words[2:], None, False, None)[0].differences(found.recipe)
    assert found.recipe.optim["generator"].lr.start == 3e-3
    assert found.recipe.optim["discriminator"].lr == 1e-3


def test_a_higher_score_wins_where_higher_is_better(tiny, tmp_path, thirty_steps):
    asked = tiny.override({"evaluate.metrics": ["vendi"]})
    found = tune(asked, tmp_path / "s", trials=3, seconds=1)
    scores = [outcome.score for _, outcome in found.trials]
    assert found.trials[found.best][1].metric == "vendi-pixels"
    assert found.trials[found.best][1].score == max(scores) > min(scores)


def test_points_are_tuned_as_pictures_are(tmp_path, thirty_steps):
    found = tune(zerosum.recipe("toy/tiny"), tmp_path / "s", trials=2, seconds=1)
    assert found.trials[0][1].metric == "fd-points"
    assert "model.gamma" in found.trials[1][0].point


# -- stops ---------------------------------------------------------------------------------


def test_a_search_that_was_stopped_in_a_training_goes_on_bit_for_bit(
    tiny, tmp_path, thirty_steps, monkeypatch
):
    monkeypatch.setattr(proposing, "AT_RANDOM", 2)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    tune(tiny, whole, trials=4, seconds=1)
    from zerosum.pipelines.tune.trial import Limits

    plain, calls = Limits.scalars, []

    def interrupted(self, values, progress):
        calls.append(progress.step)
        if len(calls) in (9, 75):  # within the first trial, and within the third
            os.kill(os.getpid(), signal.SIGINT)
        plain(self, values, progress)

    monkeypatch.setattr(Limits, "scalars", interrupted)
    for _ in range(2):
        with pytest.raises(Stopped):
            tune(tiny, broken, trials=4, seconds=1)
    spent = SearchFolder(broken).spent(0)
    tune(tiny, broken, trials=4, seconds=1)
    assert without_time(broken) == without_time(whole) != []
    assert len(without_time(whole)) == 4
    assert SearchFolder(broken).outcome(0).seconds >= spent > 0  # what came before counts too


def test_a_finished_search_trains_nothing_and_may_grow(tiny, tmp_path, thirty_steps, monkeypatch):
    out = tmp_path / "s"
    tune(tiny, out, trials=2, seconds=1)
    before = without_time(out)
    grown = tune(tiny, out, trials=3, seconds=1)
    assert without_time(out)[:2] == before and len(grown.trials) == 3
    monkeypatch.setattr(searching, "run_trial", lambda *_: pytest.fail("it was trained again"))
    again = tune(tiny, out, trials=3, seconds=1)
    assert again.recipe == grown.recipe


def test_a_trial_is_planned_when_those_it_knows_of_have_ended(tiny, tmp_path, thirty_steps):
    folder = SearchFolder(tmp_path)
    terms = searching._terms(tiny, 1.0, 5, None)
    ranges = space(tiny, registry.system("gan").search)
    jobs = searching._jobs(folder, terms, ranges, 4, 2)
    assert [next(jobs).words[-1], next(jobs).words[-1]] == ["0", "1"]  # two at a time
    ended = [outcome for _, outcome in trials(1.0, 2.0)]
    assert next(jobs) is None
    folder.write_outcome(ended[1])  # the second ended first: the third waits for the first
    assert next(jobs) is None
    folder.write_outcome(ended[0])
    assert next(jobs).words[-1] == "2"
    point = folder.plan(2).point
    known = [(folder.plan(0), ended[0]), (folder.plan(1), None)]
    assert point == propose(ranges, known, 2, 5)  # whichever of them ended first


def test_a_lagging_trial_ends_at_its_station(tiny, tmp_path, thirty_steps):
    folder = SearchFolder(tmp_path)
    terms = searching._terms(tiny, 1.0, 5, None)
    folder.write_terms(terms)
    folder.write_plan(Plan(number=0, point={}, limits=[1e9, 0.0]))
    found = run_trial(folder, 0)
    assert found.state == "stopped early" and len(found.scores) == 2
    assert 20 * 16 <= found.examples <= 21 * 16  # of thirty steps
    assert found == folder.outcome(0)


def test_a_training_that_fails_is_an_outcome_and_the_others_go_on(
    tiny, tmp_path, thirty_steps, monkeypatch
):
    from zerosum.training.trainer import Trainer

    fit, calls = Trainer.fit, []

    def failing(self):
        calls.append(1)
        if len(calls) == 2:
            raise UserError("20 steps in a row without a finite gradient")
        return fit(self)

    monkeypatch.setattr(Trainer, "fit", failing)
    found = tune(tiny, tmp_path / "s", trials=3, seconds=1)
    assert [one.state for _, one in found.trials] == ["complete", "failed", "complete"]
    assert found.trials[1][1].reason in (tmp_path / "s/index.html").read_text()
    monkeypatch.setattr(Trainer, "fit", lambda self: (_ for _ in ()).throw(UserError("no")))
    with pytest.raises(UserError, match=r"no trial of .* the preset's: failed \(no\)"):
        tune(tiny, tmp_path / "t", trials=2, seconds=1)


# -- refusals ------------------------------------------------------------------------------


def test_another_search_is_not_gone_on_with(tiny, tmp_path, thirty_steps):
    out = tmp_path / "s"
    tune(tiny, out, trials=1, seconds=1)
    with pytest.raises(UserError, match=r"a search with --seconds 1 --seed 1000: give these"):
        tune(tiny, out, trials=1, seconds=2)
    with pytest.raises(UserError, match=r"--seed 1000: give these"):
        tune(tiny, out, trials=1, seconds=1, seed=3)
    with pytest.raises(UserError, match=r"was searched before train\.batch of the recipe changed"):
        tune(tiny.override({"train.batch": 32}), out, trials=1, seconds=1)
    with pytest.raises(UserError, match="holds a search of gan, not of dcgan"):
        tune(zerosum.recipe("dcgan/tiny"), out, trials=1, seconds=1)
    (out / "search.json").write_text("{")
    with pytest.raises(UserError, match=r"search.json is damaged: bring it back"):
        tune(tiny, out, trials=1, seconds=1)


def test_what_cannot_be_searched_is_refused_before_a_file_is_written(tiny, tmp_path):
    out = tmp_path / "s"
    with pytest.raises(UserError, match=r"buys 1 steps of gan/tiny.*: give --seconds"):
        tune(tiny, out, trials=1, seconds=1e-6)
    with pytest.raises(UserError, match="--trials 0"):
        tune(tiny, out, trials=0, seconds=1)
    for seconds in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UserError, match="give the processor time of a trial"):
            tune(tiny, out, trials=1, seconds=seconds)
    with pytest.raises(UserError, match="nowhere"):
        tune(tiny.with_data("nowhere"), out, trials=1, seconds=1)
    assert not out.exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a.txt").touch()
    with pytest.raises(UserError, match="holds files but no search"):
        tune(tiny, tmp_path / "full", trials=1, seconds=1)
    with pytest.raises(UserError, match="is a file"):
        tune(tiny, tmp_path / "full/a.txt", trials=1, seconds=1)


def test_without_optuna_the_extra_is_named(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install 'zerosum\[tune\]'"):
        tune(tiny, tmp_path / "s", trials=1, seconds=1)
