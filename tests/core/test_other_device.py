"""Nothing lies on another device than the game: asked with `meta`, which every machine has.

Tensors on `meta` have no numbers. An operation of one with a tensor that was left on the CPU is
refused, as it would be on a GPU; what asks for a number is refused too, and tells nothing.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

import zerosum
from zerosum.core.game import Game, LatentGame, Progress
from zerosum.core.registry import build_game, list_models
from zerosum.core.remedies import REMEDIES
from zerosum.core.runtime import Runtime
from zerosum.data.fields import Batch
from zerosum.data.source import Source
from zerosum.doctor.probe import tangents
from zerosum.training.prepare import prepare

APART = "not on the expected device"
SCHEDULED = {"name": "ada", "strength": {"kind": "cosine", "start": 0.1, "end": 0.5}}


def there(name: str) -> tuple[Game, Batch]:
    """A system's game and a batch of its data, on `meta`."""
    split, recipe = prepare(zerosum.recipe(f"{name}/tiny"), Runtime(torch.device("cpu")))
    assert isinstance(split.train, Source)
    batch = {name: value.to("meta") for name, value in split.train.finished(range(8)).items()}
    return build_game(recipe).to("meta"), batch


def asked(work: Any) -> None:
    """Do some work; only what needs numbers may be refused."""
    try:
        work()
    except RuntimeError as error:  # NotImplementedError is one
        if APART in str(error):
            raise


@pytest.mark.parametrize("name", list_models())
def test_losses_and_samples_stay_on_the_device_of_the_game(name):
    game, batch = there(name)
    given = {key: batch[key] for key in game.inputs()}
    asked(lambda: game.sample(8, rng=torch.Generator().manual_seed(0), **given))
    for turn in game.turns():
        asked(lambda turn=turn: turn.loss(batch))


@pytest.mark.parametrize("remedy", [*({"name": name} for name in REMEDIES), SCHEDULED])
def test_remedies_stay_on_the_device_of_the_game(remedy):
    recipe = zerosum.recipe("dcgan/tiny").override({"remedies": [remedy]})
    split, recipe = prepare(recipe, Runtime(torch.device("cpu")))
    built = build_game(recipe)
    built.learn_from(split)
    game = built.to("meta")
    batch = {name: value.to("meta") for name, value in split.train.finished(range(8)).items()}
    asked(lambda: [turn.loss(batch) for turn in game.turns()])
    asked(lambda: game.after_step(Progress(0, 0, 64)))
    assert {signal.device.type for signal in game.signals.values()} <= {"meta"}


def test_the_stand_in_refuses_what_was_left_behind():
    with pytest.raises(RuntimeError, match=APART):
        torch.add(torch.empty(3, device="meta"), torch.ones(3))


@pytest.mark.parametrize("name", ["gan", "stylegan2", "stylegan3"])
def test_the_doctor_follows_codes_on_the_device_of_the_game(name):
    game, _ = there(name)
    assert isinstance(game, LatentGame)
    rows: Any = SimpleNamespace(rows=lambda batch: next(iter(batch.values())).flatten(1))
    moved = tangents(game, rows, torch.Generator().manual_seed(0))
    assert moved is not None
    assert moved.device.type == "meta"
    assert moved.shape == (4, 8, 64)
