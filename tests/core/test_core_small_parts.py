"""Schedules, optimizers, averaging, recipes, registry, clock."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
import torch
from core_games import Duel, weights
from pydantic import TypeAdapter, ValidationError
from torch import nn

from zerosum.core.ema import EMA, generator_state
from zerosum.core.game import Progress, Turn
from zerosum.core.optim import Optim
from zerosum.core.schedule import Constant, Cosine, Linear, Piecewise, Schedule, Step, at
from zerosum.data.spec import GameConfig
from zerosum.progress import duration
from zerosum.training.trainer import _due


def clock(seen, total=1_000):
    return Progress(seen // 10, seen, total)


# -- schedules --------------------------------------------------------------------------------


def test_constant_is_constant():
    assert [Constant(value=3.5)(clock(s)) for s in (0, 500, 5_000)] == [3.5] * 3


def test_linear_is_a_line_between_its_ends():
    line = Linear(start=2.0, end=-1.0, begin=100, until=400)
    for seen, value in [(0, 2), (100, 2), (200, 1), (250, 0.5), (400, -1), (900, -1)]:
        assert line(clock(seen)) == pytest.approx(value)


def test_until_zero_is_the_end_of_the_run():
    line = Linear(start=0.0, end=1.0, begin=200)
    assert line(clock(600)) == pytest.approx(0.5)
    assert line(clock(600, total=2_200)) == pytest.approx(0.2)


def test_a_ramp_without_length_is_a_jump():
    jump = Linear(start=1.0, end=5.0, begin=300, until=300)
    assert [jump(clock(s)) for s in (299, 300, 301)] == [1, 5, 5]


def test_cosine_is_half_a_wave():
    wave = Cosine(start=3.0, end=1.0, begin=0, until=1_000)
    for seen in (0, 100, 250, 500, 900, 1_000, 2_000):
        share = min(seen / 1_000, 1)
        assert wave(clock(seen)) == pytest.approx(2 + math.cos(math.pi * share))


def test_step_multiplies_every_so_many_images():
    stairs = Step(start=8.0, factor=0.5, every=100)
    assert [stairs(clock(s)) for s in (0, 99, 100, 299, 300)] == [8, 8, 4, 2, 1]


def test_piecewise_passes_through_its_points():
    path = Piecewise(points=[(100, 1.0), (200, 3.0), (400, -1.0)])
    pairs = [(0, 1), (100, 1), (150, 2), (200, 3), (300, 1), (400, -1), (999, -1)]
    for seen, value in pairs:
        assert path(clock(seen)) == pytest.approx(value)


@pytest.mark.parametrize("points", [[], [(200, 1.0), (100, 2.0)], [(100, 1.0), (100, 2.0)]])
def test_piecewise_refuses_points_out_of_order(points):
    with pytest.raises(ValidationError):
        Piecewise(points=points)


@pytest.mark.parametrize(
    "schedule",
    [
        Constant(value=1.5),
        Linear(start=1.0, end=0.0, begin=10),
        Cosine(start=1.0, end=0.0, until=500),
        Step(start=1.0, factor=0.1, every=300),
        Piecewise(points=[(0, 0.0), (500, 1.0)]),
    ],
    ids=lambda s: s.kind,
)
def test_schedules_survive_json(schedule):
    adapter = TypeAdapter(Schedule)
    again = adapter.validate_json(schedule.model_dump_json())
    assert again == schedule
    assert [again(clock(s)) for s in range(0, 1_100, 50)] == [
        schedule(clock(s)) for s in range(0, 1_100, 50)
    ]


@pytest.mark.parametrize("number", [0.25, 2, Constant(value=0.25)])
def test_a_number_is_accepted_for_a_schedule(number):
    assert at(number, clock(77)) == (2 if number == 2 else 0.25)


def test_unknown_settings_of_a_schedule_are_refused():
    with pytest.raises(ValidationError):
        Linear.model_validate({"start": 1, "end": 0, "untill": 5})


# -- optimizers -------------------------------------------------------------------------------


def test_advance_sets_rate_and_betas():
    halved = Step(start=1.0, factor=0.5, every=100)
    optim = Optim(lr=halved, betas=(Linear(start=0.0, end=0.5, until=200), 0.99))
    optimizer = optim.build([nn.Parameter(torch.ones(2))])
    for seen, rate, beta in [(0, 1.0, 0.0), (100, 0.5, 0.25), (250, 0.25, 0.5)]:
        optim.advance(optimizer, clock(seen))
        (group,) = optimizer.param_groups
        assert (group["lr"], group["betas"]) == (pytest.approx(rate), (pytest.approx(beta), 0.99))


def test_a_scheduled_rate_moves_the_weights():
    """Gradient 1, plain descent: the weight falls by the rate of the moment."""
    optim = Optim(kind="sgd", lr=Step(start=1.0, factor=0.1, every=10))
    weight = nn.Parameter(torch.tensor(5.0, dtype=torch.float64))
    optimizer, values = optim.build([weight]), []
    for seen in (0, 10, 20):
        optim.advance(optimizer, clock(seen))
        weight.grad = torch.ones_like(weight)
        optimizer.step()
        values.append(weight.item())
    assert values == pytest.approx([4.0, 3.9, 3.89])


@pytest.mark.parametrize(
    ("kind", "cls"),
    [("adam", torch.optim.Adam), ("rmsprop", torch.optim.RMSprop), ("sgd", torch.optim.SGD)],
)
def test_each_kind_builds_its_optimizer(kind, cls):
    optim = Optim(kind=kind, lr=1, weight_decay=0.1)
    optimizer = optim.build(iter(nn.Linear(2, 2).parameters()))
    assert type(optimizer) is cls
    assert len(optimizer.param_groups[0]["params"]) == 2
    assert optimizer.param_groups[0]["weight_decay"] == 0.1
    optim.advance(optimizer, clock(10))


@pytest.mark.parametrize("wrong", [{"clip": 0}, {"clip": -1.0}, {"kind": "lion"}, {"rate": 1.0}])
def test_senseless_optimizers_are_refused(wrong):
    with pytest.raises(ValidationError):
        Optim(**wrong)


# -- averaging --------------------------------------------------------------------------------


def constant(game, value):
    with torch.no_grad():
        for parameter in game.generator.parameters():
            parameter.fill_(value)


@pytest.mark.parametrize("batch", [10, 50, 250, 500])
def test_after_a_half_life_half_of_the_way_is_done(batch):
    """Whatever the batch: 500 images towards a constant target, half-life 500."""
    game = Duel(dtype=torch.float64)
    constant(game, 0.0)
    ema = EMA(game, half_life=500, ramp=0)
    constant(game, 8.0)
    for step in range(500 // batch):
        ema.update(batch, Progress(seen=(step + 1) * batch))
    for average in ema.shadow.values():
        torch.testing.assert_close(average, torch.full_like(average, 4.0))
    for step in range(500 // batch):
        ema.update(batch, Progress(seen=500 + (step + 1) * batch))
    assert next(iter(ema.shadow.values())).flatten()[0] == pytest.approx(6.0)


def test_the_ramp_shortens_the_half_life_at_the_start():
    """At 100 images seen and ramp 0.1 the half-life is 10, so 10 images go half of the way."""
    game = Duel(dtype=torch.float64)
    constant(game, 0.0)
    ema = EMA(game, half_life=10_000, ramp=0.1)
    constant(game, 1.0)
    ema.update(10, Progress(seen=100))
    assert ema.shadow["generator.0.bias"][0] == pytest.approx(0.5)


def test_the_half_life_may_be_a_schedule():
    """Half of 0 to 40 over 100 images is 20: at 50 images seen, 20 images go half of the way."""
    game = Duel(dtype=torch.float64)
    constant(game, 0.0)
    ema = EMA(game, half_life=Linear(start=0, end=40, until=100), ramp=0)
    constant(game, 1.0)
    ema.update(20, Progress(seen=50))
    assert ema.shadow["generator.0.bias"][0] == pytest.approx(0.5)


def test_half_life_zero_follows_the_last_weights():
    game = Duel()
    ema = EMA(game, half_life=0)
    constant(game, 3.0)
    ema.update(16, Progress(seen=16))
    assert all(bool((average == 3).all()) for average in ema.shadow.values())


def test_applied_gives_averages_and_takes_them_back_even_after_an_error():
    game = Duel()
    constant(game, 1.0)
    ema = EMA(game, half_life=100, ramp=0)
    constant(game, 2.0)
    before = {name: p.detach().clone() for name, p in game.named_parameters()}
    within = []
    with suppress(RuntimeError), ema.applied():
        within = weights(game.generator)
        raise RuntimeError("inside")
    assert all(bool((w == 1).all()) for w in within) and len(within) == 4
    assert all(torch.equal(before[name], p) for name, p in game.named_parameters())
    assert all(bool((average == 1).all()) for average in ema.shadow.values())


def test_running_statistics_are_averaged_with_the_weights():
    """Half of the way from 0 to what two batches leave behind, and what samples run on."""
    game = Duel()
    game.generator.append(nn.BatchNorm1d(2))
    ema = EMA(game, half_life=10, ramp=0)
    game.generator.train()
    game.generator[3].running_mean.fill_(4.0)
    game.generator[3].running_var.fill_(9.0)
    ema.update(10, Progress(seen=10))
    with ema.applied():
        assert game.generator[3].running_mean.tolist() == pytest.approx([2.0, 2.0])
        assert game.generator[3].running_var.tolist() == pytest.approx([5.0, 5.0])  # from 1
    assert game.generator[3].running_mean.tolist() == [4.0, 4.0]


def test_only_generators_are_averaged_and_their_buffers_come_along():
    game = Duel()
    game.generator.append(nn.BatchNorm1d(2))
    ema = EMA(game, half_life=100)
    assert all(name.startswith("generator.") for name in ema.shadow)
    game.generator.train()(torch.randn(16, 2) + 5)
    state = generator_state(game)
    assert set(ema.shadow) < set(state)
    assert torch.equal(state["generator.3.running_mean"], game.generator[3].running_mean)
    assert state["generator.3.num_batches_tracked"] == 1
    assert not any(name.startswith(("discriminator", "helper")) for name in state)


# -- clock and turns --------------------------------------------------------------------------


def test_the_clock_counts_images():
    now = Progress(0, 0, 100)
    for _ in range(3):
        now = now.after(16)
    assert now == Progress(3, 48, 100)


def test_a_turn_names_its_players():
    assert Turn("a", lambda b: {}).players == ("a",)
    assert Turn(("a", "b"), lambda b: {}).players == ("a", "b")


@pytest.mark.parametrize(("every", "batch"), [(100, 16), (16, 16), (10, 16), (1_000, 64)])
def test_an_interval_is_due_once_per_multiple_that_is_crossed(every, batch):
    now, due = Progress(0, 0, 4_000), 0
    while now.seen < 4_000:
        now = now.after(batch)
        due += _due(every, now, batch)
    assert due == min(now.seen // every, now.step)


def test_a_game_without_config_is_built_from_the_base():
    assert Duel().config == GameConfig()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (99.4, "99 s"),
        (99.6, "2 min"),
        (600, "10 min"),
        (5_960, "99 min"),
        (5_980, "1 h 40 min"),
        (18_167, "5 h 03 min"),
        (4_000_000, "1,111 h 07 min"),
    ],
)
def test_a_duration_is_told_in_units_of_its_size(seconds, words):
    assert duration(seconds) == words
