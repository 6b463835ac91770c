"""Remedies of networks: weights held near their own past, batches that do not leak."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from zerosum.config import Count, Weight
from zerosum.core.game import Game, Terms, Turn
from zerosum.core.remedies.base import AddsTerm, Effect, Remedy
from zerosum.data.fields import Batch
from zerosum.errors import UserError
from zerosum.layers.norm import ConditionalBatchNorm2d, Referred, VirtualBatchNorm2d
from zerosum.losses.weights import HistoricalAverage


class HistoricalAveraging(Remedy):
    """Each player pays for the squared distance of its weights to their own average over time."""

    paper: ClassVar[str] = "Salimans et al. 2016, arXiv:1606.03498, section 3.3"
    needs: ClassVar[str] = "any game"
    usual: ClassVar[str] = "0.01 (ours; the paper gives none)"

    name: Literal["historical_averaging"] = "historical_averaging"
    weight: Weight = 0.01
    """Weight of the term."""

    def effect(self, game: Game) -> Effect:
        return _Historical(game, self.weight)


class _Historical(AddsTerm):
    """The term of each player, and the averages."""

    def __init__(self, game: Game, weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.averages = nn.ModuleDict(
            {player: HistoricalAverage(_parameters(game, player)) for player in game.players()}
        )

    def loss(self, game: Game, turn: Turn, batch: Batch) -> Terms:
        terms = turn.loss(batch)
        far = [self.averages[player](_parameters(game, player)) for player in turn.players]
        return {**terms, "historical": self.weight * torch.stack(far).sum()}

    def after_step(self, game: Game) -> None:
        for player, average in self.averages.items():
            assert isinstance(average, HistoricalAverage)
            average.update(_parameters(game, player))


class VirtualBatchNorm(Remedy):
    """The generator's batch normalisation uses a reference batch of codes, drawn once."""

    paper: ClassVar[str] = "Salimans et al. 2016, arXiv:1606.03498, section 3.5"
    needs: ClassVar[str] = "a generator with BatchNorm2d layers"
    usual: ClassVar[str] = "a reference batch as large as the batch (ours; the paper gives none)"

    name: Literal["virtual_batch_norm"] = "virtual_batch_norm"
    reference: Count = 64
    """Codes in the reference batch; each forward pass makes so many samples more."""

    def effect(self, game: Game) -> Effect:
        networks = [
            module
            for module in game.generators()
            if any(isinstance(part, nn.BatchNorm2d) for part in module.modules())
        ]
        if not networks:
            raise UserError(f"it needs {self.needs}, and this has none")
        given = _given(game, networks, self.reference)
        if not given:
            raise UserError(f"it needs {self.needs}, as one network that makes a sample")
        for network, inputs in given.items():
            place = next(name for name, module in game.named_modules() if module is network)
            _replace_norms(network, self.reference)
            game.set_submodule(place, Referred(network, *inputs))
        return Effect()


@torch.no_grad()
def _given(game: Game, networks: list[nn.Module], n: int) -> dict[nn.Module, tuple[Tensor, ...]]:
    """What the networks that sampling calls are given for n samples."""
    given: dict[nn.Module, tuple[Tensor, ...]] = {}

    def note(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        if all(isinstance(one, Tensor) and len(one) == n for one in inputs):
            given[module] = inputs

    if game.inputs():
        raise UserError("it needs a generator of codes, and this one maps what it is given")
    hooks = [network.register_forward_pre_hook(note) for network in networks]
    mode = game.training
    try:
        game.eval().sample(n)
    finally:
        game.train(mode)
        for hook in hooks:
            hook.remove()
    return given


def _replace_norms(network: nn.Module, reference: int) -> None:
    """Virtual in the place of batch normalisation, with its gains and biases."""
    for name, part in list(network.named_modules()):
        if isinstance(part, ConditionalBatchNorm2d):
            raise UserError("it is for BatchNorm2d, and this one's gains depend on a condition")
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            if type(part) is not nn.BatchNorm2d or not part.affine:
                raise UserError(f"it is for BatchNorm2d with gains, not {part}")
            layer = VirtualBatchNorm2d(part.num_features, reference, part.eps)
            layer.weight = nn.Parameter(part.weight.detach().view(-1, 1, 1).clone())
            layer.bias = nn.Parameter(part.bias.detach().view(-1, 1, 1).clone())
            network.set_submodule(name, layer.to(part.weight.device))


def _parameters(game: Game, player: str) -> list[nn.Parameter]:
    """The parameters of a player, each once."""
    modules = game.players()[player]
    return list(dict.fromkeys(p for module in modules for p in module.parameters()))
