"""`zerosum bench speed`: turns count by the share of steps that they are played in."""

from __future__ import annotations

import pytest
import torch

from zerosum.bench import speed
from zerosum.bench.speed import Speed, Timed
from zerosum.errors import UserError


def test_a_lazy_turn_counts_for_its_share():
    turns = {
        "generator_loss": (Timed(0.4, 0.3, 0.5), 1),
        "path_loss": (Timed(0.8, 0.8, 0.8), 4),
        "penalty_loss": (Timed(1.6, 1.6, 1.6), 16),
    }
    one = Speed("x/y", "cpu", "fp32", 8, {}, Timed(0.5, 0.4, 0.8), turns, 2e9, 0, 64e9)
    assert one.iteration == pytest.approx(0.4 + 0.2 + 0.1)
    # 8 images in 0.5 s; 8 in 0.7 s; 2 GFLOP x 16 a second are half of 64.
    assert one.row() == "| x/y | fp32 | 8 | 16 [10, 20] | 11.4 | 2.00 | 50% | - |"


def test_each_turn_of_the_recipe_is_timed():
    found = speed.measure("stylegan2/tiny", device="cpu", batch=4, repeats=2)
    every = {name: every for name, (_, every) in found.turns.items()}
    assert every == {
        "generator_loss": 1, "path_loss": 2, "discriminator_loss": 1, "penalty_loss": 2,
    }  # fmt: skip
    assert found.forward.least <= found.forward.median <= found.forward.most
    assert set(found.parameters) == {"discriminator", "generator"}
    assert torch.get_num_threads() == 1


def test_operations_are_counted():
    """gan/tiny is a perceptron: two operations for each weight and image."""
    import zerosum
    from zerosum.core.registry import build_game
    from zerosum.core.runtime import Runtime
    from zerosum.training.prepare import prepare

    found = speed.measure("gan/tiny", device="cpu", batch=4, repeats=1)
    _, recipe = prepare(zerosum.recipe("gan/tiny"), Runtime(torch.device("cpu")))
    weights = sum(p.numel() for p in build_game(recipe).generator.parameters() if p.ndim == 2)
    assert found.flops == 2 * weights


def test_what_draws_nothing_from_a_code_is_refused():
    with pytest.raises(UserError, match="pix2pix/tiny draws nothing from a code"):
        speed.measure("pix2pix/tiny", device="cpu", repeats=1)
