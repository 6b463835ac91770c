"""One step of any game: freeze, zero, backward, average over ranks, guard, clip, step.

The engine knows no GAN. Whoever writes an own loop calls `play_step` and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import torch
from torch import Tensor, nn

from zerosum.core.game import Game, Turn
from zerosum.core.runtime import Runtime
from zerosum.data.fields import Batch, size_of
from zerosum.errors import UserError

Order = Literal["alternating", "simultaneous", "extragradient"]
"""How the moves of a step relate: see `play_step`."""


def play_step(
    game: Game,
    batches: Iterator[Batch],
    optimizers: Mapping[str, torch.optim.Optimizer],
    runtime: Runtime,
    clip: Mapping[str, float] | None = None,
    order: Order = "alternating",
    more: Sequence[Turn] = (),
) -> dict[str, Tensor]:
    """Play each turn of one step, and what the game moves after it.

    The turns of a step share one batch; each repeat of a turn draws a new one, and a turn with
    `fresh=True` draws its own. Advancing `game.progress` is the caller's.

    Args:
        game: The game.
        batches: Where batches come from, on the game's device.
        optimizers: One per player.
        runtime: Device, precision and ranks.
        clip: Largest gradient norm by player; absent means no clipping.
        order: `alternating`: each turn sees what the one before did. `simultaneous`: all
            gradients are taken first, then all players move. `extragradient`: all move to a
            look-ahead, and the gradients taken there on a new batch move them from where they
            were (Korpelevich 1976; Gidel et al. 2019, arXiv:1802.10551, algorithms 2 and 4),
            which turns the circling of adversarial games into convergence at twice the cost.
        more: Turns to play after the game's own, such as a penalty from outside.

    Returns:
        Scalars on the device: `player/term` for each term, `player/grad_norm`, and
        `player/skipped` (1 where the gradient was not finite, so that nothing moved).

    Raises:
        UserError: A repeated turn in an order that takes all gradients at one point.
    """
    table = _Table(game, batches, optimizers, runtime, clip or {}, tuple(more))
    game.optimizers = optimizers
    try:
        log = _play(table, order)
    finally:
        game.optimizers = {}
    with torch.no_grad():
        game.after_step(game.progress)
    runtime.synchronise_buffers(game)
    return log


def _play(table: _Table, order: Order) -> dict[str, Tensor]:
    """The turns of one step in an order; what there is to log."""
    log: dict[str, Tensor] = {}
    if order == "alternating":
        for move in table.moves(log):
            table.make(move)
    else:
        if order == "extragradient":
            start = {p: p.detach().clone() for p in table.parameters()}
            for move in list(table.moves({}, once=True)):
                table.make(move)
            moves = list(table.moves(log, once=True))
            with torch.no_grad():
                for parameter, value in start.items():
                    parameter.copy_(value)
        else:
            moves = list(table.moves(log, once=True))
        for move in moves:
            table.make(move)
    for parameter in table.parameters():
        parameter.requires_grad_(True)
    return log


@dataclass(frozen=True)
class _Move:
    """Finite gradients of the parameters of some players."""

    players: Mapping[str, list[nn.Parameter]]
    gradients: Mapping[nn.Parameter, Tensor]
    then: Callable[[], None] | None


@dataclass(frozen=True)
class _Table:
    """What the turns of one step are played with."""

    game: Game
    batches: Iterator[Batch]
    optimizers: Mapping[str, torch.optim.Optimizer]
    runtime: Runtime
    clip: Mapping[str, float]
    more: tuple[Turn, ...]

    def parameters(self) -> list[nn.Parameter]:
        return _parameters(chain.from_iterable(self.game.players().values()))

    def moves(self, log: dict[str, Tensor], *, once: bool = False) -> Iterator[_Move]:
        """The gradients of each turn in order, taken when they are asked for."""
        shared: Batch | None = None
        for turn in [*self.game.turns(), *self.more]:
            if self.game.progress.step % turn.every:
                continue
            if once and turn.repeat > 1:
                raise UserError(
                    f"the turn of {'+'.join(turn.players)} repeats {turn.repeat} times, which "
                    "only an alternating order can play: set train.order=alternating"
                )
            for repeat in range(turn.repeat):
                if turn.fresh or repeat:
                    batch = next(self.batches)
                else:
                    batch = shared = next(self.batches) if shared is None else shared
                found, move = self.gradients(turn, batch)
                for name, value in found.items():
                    # A good move must not hide that an earlier one of the same player was skipped.
                    hides = name in log and name.endswith("/skipped")
                    log[name] = torch.maximum(log[name], value) if hides else value
                if move is not None:
                    yield move

    def gradients(self, turn: Turn, batch: Batch) -> tuple[dict[str, Tensor], _Move | None]:
        """Scalars to log, and the move of one turn; None where a gradient is not finite."""
        players, runtime = self.game.players(), self.runtime
        moving = {name: _parameters(players[name]) for name in turn.players}
        for parameter in self.game.parameters():
            parameter.requires_grad_(False)
        for parameter in chain.from_iterable(moving.values()):
            parameter.requires_grad_(True)
            parameter.grad = None

        title = "+".join(turn.players)
        log: dict[str, Tensor] = {}
        count = size_of(batch)
        for part in runtime.split(batch):
            share = size_of(part) / count
            with runtime.autocast():
                terms = turn.loss(part)
            total = share * sum(terms.values(), start=torch.zeros((), device=runtime.device))
            if total.requires_grad:
                total.backward()
            for name, term in terms.items():
                key, value = f"{title}/{name}", share * term.detach()
                log[key] = log[key] + value if key in log else value

        everything = list(chain.from_iterable(moving.values()))
        runtime.average_gradients(everything)
        gradients = {p: p.grad for p in everything if p.grad is not None}
        norm = torch.nn.utils.get_total_norm(list(gradients.values()))
        # One look at the device a turn: a step on a gradient that is not finite destroys the run.
        finite = bool(torch.isfinite(norm))
        log[f"{title}/grad_norm"] = norm
        log[f"{title}/skipped"] = torch.zeros_like(norm) if finite else torch.ones_like(norm)
        return log, _Move(moving, gradients, turn.then) if finite else None

    def make(self, move: _Move) -> None:
        """Move the players of a move by its gradients."""
        for name, parameters in move.players.items():
            for parameter in parameters:
                parameter.grad = move.gradients.get(parameter)
            if name in self.clip:
                torch.nn.utils.clip_grad_norm_(parameters, self.clip[name])
            self.optimizers[name].step()
        if move.then is not None:
            with torch.no_grad():
                move.then()


def _parameters(modules: Iterator[nn.Module] | list[nn.Module]) -> list[nn.Parameter]:
    """The parameters of some modules, each once."""
    return list(dict.fromkeys(p for module in modules for p in module.parameters()))
