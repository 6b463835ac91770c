"""Rates of each method's own: the search on the ring, its winner on the grid, the long control."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from zerosum.bench.modes import search
from zerosum.bench.modes.bench import demand_search, run
from zerosum.bench.modes.measure import Coverage
from zerosum.bench.modes.methods import METHODS, methods
from zerosum.bench.modes.report import Report, Result
from zerosum.bench.modes.settings import SETTINGS
from zerosum.bench.modes.suites import Points
from zerosum.bench.modes.train import Trial
from zerosum.errors import UserError

RING = SETTINGS["ring", "smoke"]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def stored(folder):
    return json.loads((folder / "result.json").read_text())


def test_trials_are_all_pairs_of_three_rates_the_profiles_first():
    tried = search.trial_settings(RING, 9)
    pairs = [(one.lr / RING.lr, one.critic_rate * one.lr / RING.lr) for one in tried]
    assert pairs[:3] == [(1, 1), (1 / 4, 1 / 4), (1 / 16, 1 / 16)]
    assert set(pairs) == {(a, b) for a in (1, 1 / 4, 1 / 16) for b in (1, 1 / 4, 1 / 16)}
    assert all(one.updates == 1_000 and one.seeds == 2 for one in tried)
    assert search.trial_settings(RING, 4) == tried[:4]
    assert not set(search.SEEDS) & set(range(RING.seeds))  # no table shows them


def test_the_search_keeps_the_greatest_mean_overlap(monkeypatch, tmp_path):
    overlaps = iter([(0.1, 0.3), (0.2, 0.5), (0.6, 0.0), (0.35, 0.35)])

    def row(bench, chosen, method, seeds, folder, *, title):
        rows = [Coverage(8, 8, 1.0, 0.0, 0.0, 1.0, overlap) for overlap in next(overlaps)]
        return Result(method.name, "", rows, {}, 1.0)

    monkeypatch.setattr(search, "row", row)
    found = search.search(None, RING, METHODS["gan"], 4, tmp_path)  # 0.2, 0.35, 0.3, 0.35
    assert (found.lr, found.critic_rate) == (RING.lr / 4, 1.0)


def test_the_discriminators_first_move_is_its_own_rate():
    """Adam's first move from moments of zero is the rate itself, times a sign."""
    setting = replace(RING, critic_rate=4.0, lr=1e-3, batch=16)
    trial = Trial(setting, METHODS["gan"], Points("ring", CPU), [0], CPU)
    stacks = [trial.table.discriminator, trial.generator]
    before = [next(stack.parameters()).detach().clone() for stack in stacks]
    trial.run(1)
    for stack, old, rate in zip(stacks, before, (4e-3, 1e-3)):
        move = (next(stack.parameters()) - old).abs().max().item()
        assert move == pytest.approx(rate, rel=1e-3)


def test_the_rings_winner_serves_the_grid_and_nothing_is_tried_twice(tmp_path, monkeypatch):
    asked = {"models": "gan", "seeds": 1, "updates": 30, "trials": 2, "out": tmp_path}
    ring = run("ring", **asked)
    found = [stored(tmp_path / f"ring-smoke-search/gan/trial-{number}") for number in (1, 2)]
    assert [one["setting"]["lr"] for one in found] == [RING.lr, RING.lr / 4]
    assert [one["setting"]["updates"] for one in found] == [6, 6]
    scores = [sum(row["overlap"] for row in one["rows"]) for one in found]
    best = found[scores.index(max(scores))]["setting"]["lr"]
    begun = []
    usual = Trial.__init__

    def noted(self, setting, *rest):
        begun.append(setting.suite)
        usual(self, setting, *rest)

    monkeypatch.setattr(Trial, "__init__", noted)
    grid = run("grid", **asked)
    assert begun == ["grid"]
    for report in (ring, grid):
        assert report.results[1].setting["lr"] == best
        cells = dict(zip(*report.table()[:3:2]))
        assert cells["rates G, D"] == f"{best:.2g}, {best:.2g}"
        assert "search: 2 trials for every method on the ring, 6 updates each" in report.notes[-1]
    assert "rates G, D" not in Report("ring", "smoke", ring.results, 8, []).table()[0]


def test_the_control_has_the_processor_time_of_what_it_controls(tmp_path):
    asked = {"models": "gan,unrolled,gan_long", "seeds": 1, "updates": 12, "out": tmp_path}
    report = run("ring", **asked)
    gan, unrolled, long = report.results[1:]
    updates = round(12 * unrolled.seconds / gan.seconds)
    assert long.setting == gan.setting | {"updates": updates} and updates > 12
    assert long.note == f"gan in the time of unrolled: {updates:,} updates"
    assert run("ring", **asked).results == report.results  # read again, not trained


@pytest.mark.parametrize("names", ["gan_long", "unrolled,gan_long", "gan_long,gan,unrolled"])
def test_a_control_without_its_measure_is_refused(names):
    with pytest.raises(UserError, match=r"name (gan|unrolled) before it"):
        methods(names)


@pytest.mark.parametrize(
    ("asked", "naming"),
    [
        (("stacked-mnist", "smoke", 1), "leave --trials out for stacked-mnist"),
        (("ring", "paper", 1), "leave --trials out for ring, paper"),
        (("ring", "smoke", 10), "at most 9 trials, not 10"),
    ],
)
def test_a_search_where_there_is_none_is_refused(asked, naming):
    with pytest.raises(UserError, match=naming):
        demand_search(*asked)
