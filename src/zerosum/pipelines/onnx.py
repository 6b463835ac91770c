"""A generator as an ONNX file with a dynamic batch, checked against torch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from zerosum.core.draw import answer_of
from zerosum.core.game import Game, LatentGame
from zerosum.errors import UserError, require
from zerosum.files import atomic
from zerosum.modalities.images.sized import AnySize

CLOSE = 1e-4
"""How far onnxruntime may be from torch, for samples in [-1, 1]."""


class Sampler(nn.Module):
    """What a generator is given to its samples, as a module of plain tensors."""

    def __init__(self, game: Game) -> None:
        super().__init__()
        self.game = game

    def forward(self, given: Mapping[str, Tensor]) -> Tensor:
        game = self.game
        if isinstance(game, LatentGame):
            conditions = {name: value for name, value in given.items() if name != "z"}
            return answer_of(game, game.decode(given["z"], conditions))
        count = next(iter(given.values())).shape[0]  # no `len`, which is a constant to an export
        return answer_of(game, game.sample(count, rng=None, **given))


def tools(game: Game) -> ModuleType:
    """onnxruntime, for a game that can be written.

    Raises:
        UserError: The game neither has a latent code nor maps, or onnx is not installed.
    """
    if not isinstance(game, LatentGame) and not game.inputs():
        raise UserError(
            "only generators of a latent code, and those that map what they are given, can be "
            "written as ONNX: this one draws in another way"
        )
    require("onnx", "export")
    require("onnxscript", "export")
    return require("onnxruntime", "export")


@torch.no_grad()
def write(game: Game, path: Path) -> float:
    """Write a generator as ONNX and compare it with torch at two batch sizes.

    Inputs are `z` for generators of a latent code, each input that the game must be given and
    each condition; the output is `sample`. The first axis is free, and so are height and width
    where the game maps pictures of any size, in multiples of its step.

    Returns:
        The largest absolute difference between onnxruntime and torch.

    Raises:
        UserError: The game has no such form, onnx is not installed, or the outputs differ.
    """
    runtime = tools(game)
    game = game.cpu().eval()
    game.options = game.options.still()
    sampler = Sampler(game).eval()
    # Nothing is 1 long, which would be taken for a constant: neither the batch nor a side.
    given = _given(game, 2, grow=1)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision aloud
    with atomic(path) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about its insides
        program = torch.onnx.export(
            sampler,
            (),
            kwargs={"given": given},
            dynamo=True,
            input_names=list(given),
            output_names=["sample"],
            dynamic_shapes={"given": {name: _free(game, name) for name in given}},
            verbose=False,
        )
        assert program is not None
        program.save(str(partial))
        session = runtime.InferenceSession(str(partial), providers=["CPUExecutionProvider"])
        worst = 0.0
        for n, grow in ((1, 0), (7, 2)):
            given = _given(game, n, grow)
            feeds = {name: value.numpy() for name, value in given.items()}
            found = torch.from_numpy(session.run(None, feeds)[0])
            worst = max(worst, (found - sampler(given)).abs().max().item())
        if worst > CLOSE:
            raise UserError(f"the ONNX file differs from torch by {worst:.2g}: it was not kept")
    return worst


def _free(game: Game, name: str) -> dict[int, Any]:
    """The axes of an input of the file that have no fixed length."""
    batch = {0: torch.export.Dim("batch")}
    if name not in game.inputs() or not isinstance(game, AnySize):
        return batch
    axes = len(game.inputs()[name].shape) + 1
    if axes < 3:  # no picture: the domain that is asked for
        return batch
    step, height, width = game.sight().step, torch.export.Dim("height"), torch.export.Dim("width")
    if step > 1:
        height, width = step * height, step * width
    return batch | {axes - 2: height, axes - 1: width}


def _given(game: Game, n: int, grow: int = 0) -> dict[str, Tensor]:
    """What a generator may be given for n samples, by name, `grow` steps larger than trained."""
    rng = torch.Generator().manual_seed(n)
    if isinstance(game, LatentGame):
        return {"z": game.latent(n, rng), **game.prior(n, rng)}
    inputs = {name: field.random(n, rng) for name, field in game.inputs().items()}
    if isinstance(game, AnySize) and grow:
        more = grow * game.sight().step
        inputs = {
            name: pad(value, (0, more, 0, 2 * more)) if value.ndim > 2 else value
            for name, value in inputs.items()
        }
    drawn = game.sample(n, rng=rng, **inputs)
    return inputs | {name: drawn[name] for name in game.conditions()}
