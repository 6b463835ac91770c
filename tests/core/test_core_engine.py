"""`play_step`: who moves, on which batch, and what is left as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from core_games import CPU, Duel, batches, optimizers, runtime, same, weights

from zerosum.core.engine import play_step
from zerosum.core.game import Progress, Turn
from zerosum.core.runtime import Runtime
from zerosum.losses.penalties import gradient_penalty, r1, r2


class Counted:
    """Numbered batches: sample i of batch b is b + i / 100 in each coordinate."""

    def __init__(self, size=4):
        self.size, self.drawn = size, 0

    def __iter__(self):
        return self

    def __next__(self):
        number = torch.full((self.size, 2), float(self.drawn))
        self.drawn += 1
        return {"point": number, "noise": number}


def seen_by(game, turns):
    """Give a game turns whose losses write down (name, number of the batch)."""
    seen = []

    def watched(turn, name):
        def loss(batch):
            seen.append((name, int(batch["point"][0, 0])))
            return turn.loss(batch)

        return replace(turn, loss=loss)

    game.moves = [watched(turn, name) for name, turn in turns.items()]
    return seen


# -- against plain PyTorch --------------------------------------------------------------------


def plain_step(game, batch, optimizer):
    """The step of `Duel` as one writes it by hand."""
    real, noise = batch["point"], batch["noise"]
    fake = game.generator(noise).detach()
    loss = F.softplus(-game.discriminator(game.helper(real))).mean()
    loss = loss + F.softplus(game.discriminator(game.helper(fake))).mean()
    optimizer["discriminator"].zero_grad()
    loss.backward()
    optimizer["discriminator"].step()
    loss = F.softplus(-game.discriminator(game.helper(game.generator(noise)))).mean()
    optimizer["generator"].zero_grad()
    loss.backward()
    optimizer["generator"].step()


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_three_steps_equal_plain_pytorch_bit_for_bit(kind):
    ours, plain = Duel(), Duel()
    our_optimizers, plain_optimizers = optimizers(ours, kind), optimizers(plain, kind)
    our_data, plain_data = batches(), batches()
    for _ in range(3):
        play_step(ours, our_data, our_optimizers, runtime())
        plain_step(plain, next(plain_data), plain_optimizers)
        assert same(weights(ours), weights(plain))
    assert not same(weights(ours), weights(Duel()))


# -- who moves --------------------------------------------------------------------------------


@pytest.mark.parametrize(("mover", "still"), [(0, "generator"), (1, "discriminator")])
def test_only_the_moving_player_changes(mover, still):
    game = Duel()
    game.moves = [game.moves[mover]]
    before = {name: weights(modules[0]) for name, modules in game.players().items()}
    play_step(game, batches(), optimizers(game), runtime())
    for name, modules in game.players().items():
        assert same(before[name], weights(modules[0])) == (name == still)


@pytest.mark.parametrize("mover", ["discriminator", "generator"])
def test_only_the_moving_player_is_thawed_within_its_loss(mover):
    game, thawed = Duel(), {}
    turn = game.moves[mover == "generator"]

    def loss(batch):
        thawed.update({name: p.requires_grad for name, p in game.named_parameters()})
        return turn.loss(batch)

    game.moves = [Turn(mover, loss)]
    play_step(game, batches(), optimizers(game), runtime())
    assert {n.split(".")[0] for n, on in thawed.items() if on} == {mover}
    assert all(on for n, on in thawed.items() if n.startswith(mover))


def test_after_the_step_players_are_thawed_and_helpers_are_not():
    game = Duel()
    before = weights(game.helper)
    play_step(game, batches(), optimizers(game), runtime())
    for name, parameter in game.named_parameters():
        helper = name.startswith("helper")
        assert parameter.requires_grad != helper
        assert (parameter.grad is None) == helper
    assert same(before, weights(game.helper))


def test_a_parameter_outside_all_players_is_frozen_even_when_it_asks_for_gradients():
    """A forgotten `requires_grad_(False)` on a helper must not collect gradients."""
    game = Duel()
    game.helper.requires_grad_(True)
    play_step(game, batches(), optimizers(game), runtime())
    assert all(p.grad is None and not p.requires_grad for p in game.helper.parameters())


def test_several_players_move_together_on_one_loss():
    game = Duel()

    def loss(batch):
        return {"sum": game.discriminator(game.generator(batch["noise"])).mean()}

    game.moves = [Turn(("discriminator", "generator"), loss)]
    before = {name: weights(modules[0]) for name, modules in game.players().items()}
    log = play_step(game, batches(), optimizers(game), runtime())
    for name, modules in game.players().items():
        assert not same(before[name], weights(modules[0]))
    title = "discriminator+generator"
    assert set(log) == {f"{title}/sum", f"{title}/grad_norm", f"{title}/skipped"}


def test_gradients_of_an_earlier_move_do_not_add_up():
    """Each move starts from no gradient: a turn played twice moves by its second gradient."""
    game = Duel()
    game.moves = [Turn("generator", lambda b: {"g": game.generator(b["noise"]).sum()}, repeat=2)]
    before = weights(game.generator)
    play_step(game, Counted(), optimizers(game, lr=1.0), runtime())
    bias = [w - b for w, b in zip(weights(game.generator), before, strict=True)][-1]
    torch.testing.assert_close(bias, torch.full((2,), -8.0))  # 4 samples, twice, not 4 + 8


# -- when, and on which batch -----------------------------------------------------------------


def test_turns_share_one_batch_repeats_draw_new_ones_and_fresh_draws_its_own():
    game, data = Duel(), Counted()
    first, second = game.moves
    turns = {
        "repeated": replace(first, repeat=3),
        "shared": second,
        "fresh": replace(first, fresh=True),
        "shared again": second,
    }
    seen = seen_by(game, turns)
    play_step(game, data, optimizers(game), runtime())
    assert seen == [
        ("repeated", 0),
        ("repeated", 1),
        ("repeated", 2),
        ("shared", 0),
        ("fresh", 3),
        ("shared again", 0),
    ]
    assert data.drawn == 4
    play_step(game, data, optimizers(game), runtime())
    assert seen[6] == ("repeated", 4)


def test_a_step_of_fresh_turns_draws_no_shared_batch():
    game, data = Duel(), Counted()
    seen = seen_by(game, {"fresh": replace(game.moves[0], fresh=True, repeat=2)})
    play_step(game, data, optimizers(game), runtime())
    assert (seen, data.drawn) == ([("fresh", 0), ("fresh", 1)], 2)


def test_every_third_step_only():
    game, data = Duel(), Counted()
    first, second = game.moves
    seen = seen_by(game, {"often": first, "seldom": replace(second, every=3)})
    steps = []
    for step in range(7):
        game.progress = Progress(step, step * 4, 28)
        seen.clear()
        log = play_step(game, data, optimizers(game), runtime())
        steps.append([name for name, _ in seen])
        assert ("generator/adversarial" in log) == (step % 3 == 0)
    assert [step for step in range(7) if "seldom" in steps[step]] == [0, 3, 6]
    assert all("often" in names for names in steps)


# -- micro-batches ----------------------------------------------------------------------------


@pytest.mark.parametrize("micro", [1, 3, 4, 7, 10])
def test_micro_batches_equal_the_whole_batch(micro):
    """Ten samples in parts of 1, 3, 4 (3 parts, the last of 2) or 7: the same gradient."""
    results = []
    for size in (None, micro):
        game = Duel(dtype=torch.float64)
        log = play_step(game, batches(10, torch.float64), optimizers(game), runtime(micro=size))
        results.append((weights(game), log))
    (whole, whole_log), (parts, parts_log) = results
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
    assert set(whole_log) == set(parts_log)
    for name, value in whole_log.items():
        torch.testing.assert_close(value, parts_log[name], rtol=0, atol=1e-12)


def test_the_loss_sees_one_micro_batch_at_a_time():
    game, sizes = Duel(), []
    turn = game.moves[0]

    def loss(batch):
        assert len(batch["noise"]) == len(batch["point"])
        sizes.append(len(batch["point"]))
        return turn.loss(batch)

    game.moves = [replace(turn, loss=loss)]
    play_step(game, batches(10), optimizers(game), runtime(micro=4))
    assert sizes == [4, 4, 2]


# -- clipping, and gradients that are not finite ----------------------------------------------


def test_clipping_bounds_the_move_and_logs_the_norm_before():
    moves = {}
    for clip in (None, 1e-3):
        game = Duel()
        game.moves = game.moves[:1]
        before = weights(game.discriminator)
        limits = {} if clip is None else {"discriminator": clip}
        log = play_step(game, batches(), optimizers(game, lr=1.0), runtime(), limits)
        moved = [w - b for w, b in zip(weights(game.discriminator), before, strict=True)]
        moves[clip] = torch.cat([m.flatten() for m in moved])
        assert log["discriminator/grad_norm"] > 0.01
    free = moves[None].norm()
    torch.testing.assert_close(moves[None] * 1e-3 / free, moves[1e-3], rtol=1e-3, atol=1e-7)
    assert moves[1e-3].norm() <= 1.0001e-3


def test_a_bound_above_the_norm_changes_nothing():
    results = []
    for clip in ({}, {"discriminator": 1e6, "generator": 1e6}):
        game = Duel()
        play_step(game, batches(), optimizers(game), runtime(), clip)
        results.append(weights(game))
    assert same(*results)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_a_gradient_that_is_not_finite_moves_nothing(value, kind):
    game = Duel()
    turn = game.moves[0]

    def poisoned(batch):
        return {"bad": turn.loss(batch)["real"] * value}

    game.moves = [Turn("discriminator", poisoned), game.moves[1]]
    chosen = optimizers(game, kind)
    before = weights(game.discriminator)
    log = play_step(game, batches(), chosen, runtime(), {"discriminator": 1.0})
    assert same(before, weights(game.discriminator))
    assert not chosen["discriminator"].state  # no averages were spoilt either
    assert log["discriminator/skipped"] == 1
    assert log["generator/skipped"] == 0


def test_one_bad_sample_in_one_micro_batch_stops_the_whole_move():
    game = Duel()
    game.moves = game.moves[:1]
    before = weights(game)
    batch = next(batches(10))
    batch["point"][9, 0] = float("nan")
    log = play_step(game, iter([batch]), optimizers(game), runtime(micro=4))
    assert same(before, weights(game))
    assert log["discriminator/skipped"] == 1


def test_a_bad_move_is_reported_although_a_later_move_of_the_player_is_good():
    """Lazy penalties are turns of the same player: they must not hide a skipped main turn."""
    game = Duel()
    good = game.moves[0]
    game.moves = [Turn("discriminator", lambda b: {"bad": good.loss(b)["real"] * torch.nan}), good]
    log = play_step(game, batches(), optimizers(game), runtime())
    assert log["discriminator/skipped"] == 1


def test_a_bad_repeat_is_reported_although_the_last_one_is_good():
    game, data = Duel(), [next(batches()) for _ in range(2)]
    data[0]["point"] = data[0]["point"] * torch.nan
    game.moves = [replace(game.moves[0], repeat=2)]
    log = play_step(game, iter(data), optimizers(game), runtime())
    assert log["discriminator/skipped"] == 1


# -- the log ----------------------------------------------------------------------------------


def test_log_has_each_term_the_norm_and_the_flag():
    game = Duel()
    log = play_step(game, batches(), optimizers(game, lr=0.0), runtime())
    assert set(log) == {
        "discriminator/real",
        "discriminator/fake",
        "discriminator/grad_norm",
        "discriminator/skipped",
        "generator/adversarial",
        "generator/grad_norm",
        "generator/skipped",
    }
    assert all(value.ndim == 0 and not value.requires_grad for value in log.values())
    batch = next(batches())
    expected = game.discriminator_loss(batch)
    assert log["discriminator/real"] == expected["real"]
    assert log["generator/adversarial"] == game.generator_loss(batch)["adversarial"]
    game.zero_grad()
    sum(game.discriminator_loss(batch).values()).backward()
    norm = torch.cat([p.grad.flatten() for p in game.discriminator.parameters()]).norm()
    torch.testing.assert_close(log["discriminator/grad_norm"], norm)


def test_signals_are_detached():
    game = Duel()
    play_step(game, batches(), optimizers(game), runtime())
    assert set(game.signals) == {"real_logits", "fake_logits"}
    assert not any(signal.requires_grad for signal in game.signals.values())


def test_a_loss_without_gradient_moves_nothing_and_is_no_failure():
    game = Duel()
    before = weights(game)
    game.moves = [Turn("generator", lambda b: {"constant": b["point"].sum()})]
    log = play_step(game, batches(), optimizers(game, torch.optim.Adam), runtime())
    assert same(before, weights(game))
    assert log["generator/skipped"] == 0
    assert log["generator/grad_norm"] == 0


# -- half precision ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["r1", "r2", "gradient_penalty"])
def test_penalties_stay_float32_in_a_bf16_step(name):
    """Losses run in bf16, penalties in float32: the same numbers as without autocast."""
    found = {}
    for precision in ("fp32", "bf16"):
        game, kinds = Duel(), {}

        def loss(batch, game=game, kinds=kinds):
            real, noise = batch["point"], batch["noise"]
            logits = game.discriminator(real)
            kinds["logits"] = logits.dtype

            def critic(points):
                out = game.discriminator(points)
                kinds["within"] = out.dtype
                return out

            term = {
                "r1": lambda: r1(critic, real),
                "r2": lambda: r2(critic, noise),
                "gradient_penalty": lambda: gradient_penalty(
                    critic, real, noise, mix=torch.linspace(0, 1, len(real))
                ),
            }[name]()
            kinds["penalty"] = term.dtype
            return {"adversarial": F.softplus(-logits).mean(), "penalty": term}

        game.moves = [Turn("discriminator", loss)]
        before = weights(game.discriminator)
        log = play_step(game, batches(), optimizers(game), runtime(precision=precision))
        assert kinds["logits"] == (torch.bfloat16 if precision == "bf16" else torch.float32)
        assert kinds["within"] == kinds["penalty"] == torch.float32
        assert all(p.dtype == torch.float32 for p in game.parameters())
        assert not same(before, weights(game.discriminator))
        assert log["discriminator/skipped"] == 0
        found[precision] = log["discriminator/penalty"]
    assert torch.equal(found["fp32"], found["bf16"])


def test_runtime_needs_nothing_but_a_device():
    """Whoever writes an own loop can: `Runtime(device)` is enough."""
    game = Duel()
    log = play_step(game, batches(), optimizers(game), Runtime(CPU))
    assert log["generator/skipped"] == 0
