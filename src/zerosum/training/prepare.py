"""Before a run: open the data, fit the recipe to them, and say what the run would need."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from zerosum.core.game import Game
from zerosum.core.recipe import Fact, Recipe
from zerosum.core.registry import build_game
from zerosum.core.runtime import Runtime
from zerosum.data.codec import Codec
from zerosum.data.config import OnProgress
from zerosum.data.source import Source, Split
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError


def prepare(
    recipe: Recipe,
    runtime: Runtime,
    codec: Codec | None = None,
    on_progress: OnProgress | None = None,
) -> tuple[Split, Recipe]:
    """Open the data and resolve the recipe against them.

    Args:
        recipe: What is to be trained.
        runtime: Where.
        codec: The one that the run keeps; None fits one.
        on_progress: Called now and then with examples read and examples in all.

    Returns:
        The data and the recipe with the model fitted to them.

    Raises:
        UserError: Data that cannot be read or that the model cannot learn from; a batch that the
            devices cannot share.
    """
    if recipe.train.batch % runtime.world:
        raise UserError(
            f"train.batch={recipe.train.batch} cannot be shared by {runtime.world} processes: "
            f"set train.batch={runtime.world * max(1, recipe.train.batch // runtime.world)}"
        )
    split = _first_then_others(recipe, runtime, codec, on_progress)
    train = split.train
    facts: dict[str, Fact] = {"data": train.name, "held_out": split.heldout_note}
    if isinstance(train, Source):
        facts["samples"] = len(train)
    if train.classes:
        facts["classes"] = len(train.classes)
        facts["class_names"] = list(train.classes)
    return split, recipe.matched(DataSpec(train.fields, split.codec), facts)


def _first_then_others(
    recipe: Recipe, runtime: Runtime, codec: Codec | None, on_progress: OnProgress | None
) -> Split:
    """Let rank 0 go first, so that a download happens once and a codec is fitted once; a refusal
    reaches every rank."""
    result, refusal = None, ""
    if runtime.first:
        try:
            result = recipe.data.open(codec, on_progress)
        except UserError as error:
            refusal = str(error)
    runtime.agree(refusal)
    state = runtime.share(None if result is None else result.codec.state())
    if result is not None:
        return result
    assert state is not None
    return recipe.data.open(type(recipe.data).codec.from_state(*state), on_progress)


@dataclass(frozen=True)
class Needs:
    """What a run would need, as far as it can be told beforehand.

    Attributes:
        parameters: Number of parameters by player.
        weights: Bytes of parameters, gradients, optimizer states and averages.
        activations: Bytes that the largest turn keeps for its backward pass.
        data: Bytes of the data held in memory.
    """

    parameters: dict[str, int]
    weights: int
    activations: int
    data: int

    @property
    def total(self) -> int:
        return self.weights + self.activations + self.data


def parameter_counts(game: Game) -> dict[str, int]:
    """Number of parameters by player."""
    return {
        name: sum(p.numel() for module in modules for p in module.parameters())
        for name, modules in game.players().items()
    }


def needs(recipe: Recipe, split: Split, runtime: Runtime, module: str | None = None) -> Needs:
    """Estimate the memory of a resolved recipe by running its losses on two and four samples.

    What autograd saves grows linearly with the batch, so two points give the line.
    """
    game = build_game(recipe, module).to(runtime.device)
    counts = parameter_counts(game)
    states = {name: 2 if recipe.optim[name].kind == "adam" else 1 for name in counts}
    averaged = sum(p.numel() for module in game.generators() for p in module.parameters())
    weights = 4 * (sum(n * (2 + states[name]) for name, n in counts.items()) + averaged)
    micro = recipe.train.batch_per_device or recipe.train.batch // runtime.world
    activations = 0
    if isinstance(split.train, Source):
        small, large = (saved_bytes(game, split.train, n, runtime) for n in (2, 4))
        slope = (large - small) // 2
        activations = small + slope * (micro - 2)
    data = 0
    if isinstance(split.train, Source) and split.train.in_memory:
        sample = split.train.fetch([0])
        data = len(split.train) * sum(t.nbytes for t in sample.values())
    return Needs(counts, weights, max(activations, 0), data)


def saved_bytes(game: Game, source: Source, n: int, runtime: Runtime) -> int:
    """Bytes that the largest turn's loss saves for its backward pass on n samples."""
    batch = {k: v.to(runtime.device) for k, v in source.finished([0] * n).items()}
    parameters = {p.data_ptr() for p in game.parameters()}
    largest = 0
    for turn in game.turns():
        kept: dict[int, int] = {}

        def pack(tensor: Tensor, kept: dict[int, int] = kept) -> Tensor:
            if tensor.data_ptr() not in parameters:
                kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), runtime.autocast():
            terms = turn.loss(batch)  # kept alive, so that no address is used twice
        largest = max(largest, sum(kept.values()))
        del terms
    return largest
