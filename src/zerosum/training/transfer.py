"""Transfer: a run that begins with the weights of another run or of a model folder."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from zerosum.core.game import Game
from zerosum.errors import UserError
from zerosum.training import checkpoint
from zerosum.training.run import RunFolder

SHOWN = 3
"""Tensors that the line names."""
OWN = ("remedies.",)
"""Names of what belongs to the run, not to the networks, such as the strength of a remedy."""


def begin_with(game: Game, path: str | Path) -> str:
    """Give a game the weights of another one, where names and shapes fit.

    Args:
        game: As it was built.
        path: Folder of a run (its averaged generator, the rest as it was), or of a model that
            `zerosum export` or `zerosum import` wrote.

    Returns:
        A line that says how much was taken, and names what was not.

    Raises:
        UserError: The folder holds no weights, or none that fit.
    """
    stored, now = weights_of(Path(path)), game.state_dict()
    wanted = [
        name
        for name, tensor in now.items()
        if isinstance(tensor, Tensor) and not name.startswith(OWN)
    ]
    taken = {
        name: stored[name]
        for name in wanted
        if name in stored
        and stored[name].shape == now[name].shape
        and not name.startswith(game.anew())
    }
    if not any(name in taken for name, _ in game.named_parameters()):
        raise UserError(
            f"no weight in {path} has the name and the shape of one of this model: give a run or "
            "a model of the same system and sizes with --from"
        )
    game.load_state_dict(taken, strict=False)
    left = [name for name in wanted if name not in taken]
    more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
    rest = f"; new are {', '.join(left[:SHOWN])}{more}" if left else ""
    return f"begins with the weights in {path}: {len(taken)} of {len(wanted)} tensors{rest}"


def weights_of(folder: Path) -> dict[str, Tensor]:
    """Tensors by name of a run's newest whole checkpoint, averaged where they are, or of a model.

    Raises:
        UserError: The folder holds neither, or they cannot be read.
    """
    if (folder / "config.json").is_file():
        files = [folder / "model.safetensors", folder / "critic.safetensors"]
        files = [file for file in files if file.is_file() or file.name.startswith("model")]
    else:
        run = RunFolder.around(folder)
        newest, _ = checkpoint.latest(run.checkpoints if run.path == folder else folder)
        if newest is None:
            raise UserError(
                f"{folder} holds no weights to begin with: give the folder of a run that has a "
                "checkpoint, or of a model, with --from"
            )
        files = [newest / "game.safetensors", newest / "ema.safetensors"]
    found: dict[str, Tensor] = {}
    for file in files:
        try:
            found |= load_file(file)
        except (OSError, SafetensorError) as error:
            raise UserError(f"the weights in {file} cannot be read: {error}") from error
    return found
