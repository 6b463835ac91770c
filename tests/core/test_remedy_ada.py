"""The remedy `ada`: p follows what the critic gives away, on every rank the same."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

import zerosum
from zerosum.core.game import Progress, Turn
from zerosum.core.recipe import Recipe
from zerosum.core.registry import build_game, recipe, system
from zerosum.core.runtime import Runtime, running_buffers
from zerosum.errors import UserError
from zerosum.training.checkpoint import latest, load
from zerosum.training.prepare import prepare

BATCH = 16


def built(name="dcgan/tiny", **settings):
    split, found = prepare(
        recipe(name).override({"remedies": [{"name": "ada", **settings}]}), Runtime.start("cpu")
    )
    game = build_game(found).train()
    game.learn_from(split)
    return game, game.remedies[0], split


def step(game, number, real, fake, batches=1):
    """One step whose critic gives these logits, in so many micro-batches."""
    game.progress = Progress(number, number * BATCH, 1_000)
    (effect,) = game.remedies
    for part in range(batches):
        logits = real[part::batches], fake[part::batches]
        own = Turn("discriminator", lambda given: {"loss": game.objective.critic(*given)})
        effect.turn(game, own).loss(logits)
    game.after_step(game.progress)


REAL = torch.tensor([3.0, 2.0, 1.0, -1.0] * 4)
"""r_t is 0.5."""
FAKE = -torch.arange(16.0) / 8


@pytest.mark.parametrize("batches", [1, 2])
def test_p_moves_every_four_steps_by_what_was_measured_since(batches):
    game, effect, _ = built(target=0.4, speed=1_000)
    strengths = []
    for number in range(10):
        real = REAL if number < 4 else -REAL
        step(game, number, real, FAKE, batches)
        strengths.append(effect.p.item())
    # Four batches of sixteen: 64 of 1,000 examples; up after the steps 0 to 3, down after 4 to 7.
    up = 64 / 1_000
    assert strengths == pytest.approx([0, 0, 0, 0, up, up, up, up, 0, 0], abs=1e-7)
    assert game.signals["ada/r_t"].item() == -0.5
    assert game.signals["ada/p"].item() == effect.p.item()


def test_nothing_is_shown_changed_before_p_moves_and_afterwards_it_is():
    game, effect, split = built(target=-1, speed=1)
    batch = split.train.finished(range(BATCH))
    seen = []
    game.discriminator.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    for number in range(5):
        step(game, number, REAL, FAKE)
        game.turns()[0].loss(batch)
    assert effect.augment.strength == 1
    assert torch.equal(seen[0], batch["image"])
    assert not torch.equal(seen[-2], batch["image"])
    game.eval()
    game.critics()["discriminator"](batch)  # whoever judges afterwards sees things as they are
    assert torch.equal(seen[-1], batch["image"])


def test_without_a_zero_reals_are_compared_with_fakes():
    game, effect, _ = built("rpgan/tiny")
    fake = REAL + torch.tensor([-1.0, -1.0, -1.0, 1.0] * 4)  # three of four pairs are told right
    for number in range(5):
        step(game, number, REAL + 100, fake + 100)
    assert effect.measured.item() == 0.5
    assert effect.p.item() == 0  # below the target 0.6


def test_r_v_is_measured_on_held_out_examples():
    game, effect, _ = built(measure="r_v", target=0.1, speed=1_000)
    before = [buffer.clone() for buffer in game.discriminator.buffers()]
    level, asked = torch.tensor(0.5), []
    game.critics = lambda: {"discriminator": lambda batch: asked.append(batch) or level.expand(16)}
    for number in range(5):
        step(game, number, torch.full((16,), 1.5), torch.full((16,), -0.5))
    # (1.5 - 0.5) / (1.5 + 0.5), and 64 of 1,000 examples upwards.
    assert game.signals["ada/r_v"].item() == 0.5
    assert effect.p.item() == pytest.approx(0.064, rel=1e-6)
    assert len(asked) == 1 and asked[0]["image"].shape == (16, 1, 8, 8)
    assert all(torch.equal(a, b) for a, b in zip(before, game.discriminator.buffers()))


def test_r_v_without_held_out_examples_says_what_to_do():
    game, _, split = built(measure="r_v")
    with pytest.raises(UserError, match="none are kept aside"):
        game.learn_from(replace(split, heldout=None))


def test_a_strength_that_is_set_follows_its_schedule_and_needs_no_objective():
    game, effect, _ = built("began/tiny", strength={"kind": "linear", "start": 0.0, "end": 0.5})
    game.progress = Progress(50, 500, 1_000)
    game.turns()
    assert effect.augment.strength == 0.25
    game.after_step(game.progress)
    assert game.signals["ada/p"].item() == 0.25
    with pytest.raises(UserError, match="the remedy ada does not fit this game: it needs an obj"):
        built("began/tiny")


def test_the_ranks_average_what_p_follows_and_nothing_else():
    _, effect, _ = built()
    shared = list(running_buffers(effect).values())
    assert len(shared) == 2 and shared[0] is effect.total and shared[1] is effect.count


def test_settings_stand_in_the_recipe_and_wrong_ones_are_refused():
    found = recipe("dcgan/tiny").override({"remedies": [{"name": "ada", "select": {"bg": 0.5}}]})
    kept = Recipe.from_json(found.to_json(), system("dcgan").game.Config)
    assert kept.remedies == found.remedies
    for settings, words in (
        ({"select": "bgx"}, "ADA knows no change 'bgx'"),
        ({"strength": 1.5}, "at most 1"),
        ({"target": 2}, "at most 1"),
        ({"select": ["hue", "hew"]}, "no change 'hew': did you mean hue"),
    ):
        with pytest.raises(UserError, match=words):
            recipe("dcgan/tiny").override({"remedies": [{"name": "ada", **settings}]})


# -- whole runs -----------------------------------------------------------------------------

CHANGES = {
    "remedies": [{"name": "ada", "target": -0.9, "speed": 400}],
    "train.examples": 16 * 12,
    "train.log_every": 16,
    "train.sheet_every": 10_000,
    "evaluate.samples": 0,
    "doctor.policy": "off",
}


def trained(folder, **changes):
    asked = zerosum.recipe("dcgan/tiny").override(CHANGES | changes)
    zerosum.train(asked, folder, device="cpu", quiet=True)
    rows = [json.loads(line)["values"] for line in (folder / "log.jsonl").read_text().splitlines()]
    newest, _ = latest(folder / "checkpoints")
    return [row["ada/p"] for row in rows], load(newest).game


def test_a_run_logs_p_and_goes_on_exactly(tmp_path):
    whole, state = trained(tmp_path / "whole")
    assert whole[:4] == [0] * 4 and whole[4:8] == pytest.approx([64 / 400] * 4)
    first, _ = trained(tmp_path / "parts", **{"train.examples": 16 * 6})
    parts, again = trained(tmp_path / "parts")
    assert parts == whole and first == whole[:6]
    assert state.keys() == again.keys()
    assert all(torch.equal(state[name], again[name]) for name in state)
