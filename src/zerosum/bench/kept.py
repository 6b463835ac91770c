"""Runs that a bench made earlier: are they still what it asks for?"""

from __future__ import annotations

from pathlib import Path

import torch

from zerosum.core.recipe import Recipe
from zerosum.core.runtime import Runtime
from zerosum.data.codec import read_codec
from zerosum.training.prepare import prepare
from zerosum.training.run import RunFolder


def demand_same(asked: Recipe, folder: Path) -> None:
    """Refuse a kept run that is not this recipe's: a preset may have changed since.

    The recipe is matched to its data first, as that of the run was.

    Args:
        asked: What the bench would train now.
        folder: The run.

    Raises:
        UserError: It is another run; says what differs.
    """
    kept = read_codec(type(asked.data).codec, folder)
    _, matched = prepare(asked, Runtime(torch.device("cpu")), kept)
    RunFolder(folder).check(matched)
