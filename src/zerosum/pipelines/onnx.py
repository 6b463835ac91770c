"""A generator as an ONNX file with a dynamic batch, checked against torch."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from zerosum.core.game import Game, LatentGame
from zerosum.errors import UserError, require
from zerosum.files import atomic


class Sampler(nn.Module):
    """Codes and conditions to samples, as a module of plain tensors."""

    def __init__(self, game: LatentGame) -> None:
        super().__init__()
        self.game = game

    def forward(self, z: Tensor, conditions: Mapping[str, Tensor]) -> Tensor:
        samples = self.game.decode(z, conditions)
        given = {*self.game.inputs(), *self.game.conditions()}
        return next(value for name, value in samples.items() if name not in given)


def tools(game: Game) -> tuple[LatentGame, ModuleType]:
    """The game as one that can be written, and onnxruntime.

    Raises:
        UserError: The game has no latent code, or onnx is not installed.
    """
    if not isinstance(game, LatentGame) or game.inputs():
        raise UserError("only generators of a latent code alone can be written as ONNX")
    require("onnx", "export")
    require("onnxscript", "export")
    return game, require("onnxruntime", "export")


@torch.no_grad()
def write(game: Game, path: Path) -> float:
    """Write a generator as ONNX and compare it with torch at two batch sizes.

    Inputs are `z` and each condition, the output is `sample`; the first axis is free.

    Returns:
        The largest absolute difference between onnxruntime and torch.

    Raises:
        UserError: The game has no latent code, onnx is not installed, or the outputs differ.
    """
    game, runtime = tools(game)
    game = game.cpu().eval()
    sampler = Sampler(game).eval()
    # Two samples, because a batch of one would be taken for a constant.
    z, conditions = _inputs(game, 2)
    batch = torch.export.Dim("batch")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision aloud
    dynamic = {"z": {0: batch}, "conditions": {name: {0: batch} for name in game.conditions()}}
    with atomic(path) as partial, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about its insides
        program = torch.onnx.export(
            sampler,
            (z,),
            kwargs={"conditions": conditions},
            dynamo=True,
            input_names=["z", *game.conditions()],
            output_names=["sample"],
            dynamic_shapes=dynamic,
            verbose=False,
        )
        assert program is not None
        program.save(str(partial))
        session = runtime.InferenceSession(str(partial), providers=["CPUExecutionProvider"])
        worst = 0.0
        for n in (1, 7):
            z, conditions = _inputs(game, n)
            feeds = {"z": z.numpy(), **{k: v.numpy() for k, v in conditions.items()}}
            found = torch.from_numpy(session.run(None, feeds)[0])
            worst = max(worst, (found - sampler(z, conditions)).abs().max().item())
        if worst > 1e-4:
            raise UserError(f"the ONNX file differs from torch by {worst:.2g}: it was not kept")
    return worst


def _inputs(game: LatentGame, n: int) -> tuple[Tensor, dict[str, Tensor]]:
    rng = torch.Generator().manual_seed(n)
    return game.latent(n, rng), game.prior(n, rng)
