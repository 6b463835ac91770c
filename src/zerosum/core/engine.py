"""One step of any game: freeze, zero, backward, average over ranks, guard, clip, step.

The engine knows no GAN. Whoever writes an own loop calls `play_step` and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

import torch
from torch import Tensor, nn

from zerosum.core.game import Batch, Game, Turn
from zerosum.core.runtime import Runtime


def play_step(
    game: Game,
    batches: Iterator[Batch],
    optimizers: Mapping[str, torch.optim.Optimizer],
    runtime: Runtime,
    clip: Mapping[str, float] | None = None,
) -> dict[str, Tensor]:
    """Play each turn of one step.

    The turns of a step share one batch; each repeat of a turn draws a new one, and a turn with
    `fresh=True` draws its own. Advancing `game.progress` is the caller's.

    Args:
        game: The game.
        batches: Where batches come from, on the game's device.
        optimizers: One per player.
        runtime: Device, precision and ranks.
        clip: Largest gradient norm by player; absent means no clipping.

    Returns:
        Scalars on the device: `player/term` for each term, `player/grad_norm`, and
        `player/skipped` (1 where the gradient was not finite, so that nothing moved).
    """
    players = game.players()
    shared: Batch | None = None
    log: dict[str, Tensor] = {}
    for turn in game.turns():
        if game.progress.step % turn.every:
            continue
        for repeat in range(turn.repeat):
            if turn.fresh or repeat:
                batch = next(batches)
            else:
                batch = shared = next(batches) if shared is None else shared
            move = _play(game, turn, players, batch, optimizers, runtime, clip or {})
            for name, value in move.items():
                # A good move must not hide that an earlier one of the same player was skipped.
                hides = name in log and name.endswith("/skipped")
                log[name] = torch.maximum(log[name], value) if hides else value
    for parameter in _parameters(chain.from_iterable(players.values())):
        parameter.requires_grad_(True)
    runtime.synchronise_buffers(game)
    return log


def _play(
    game: Game,
    turn: Turn,
    players: Mapping[str, list[nn.Module]],
    batch: Batch,
    optimizers: Mapping[str, torch.optim.Optimizer],
    runtime: Runtime,
    clip: Mapping[str, float],
) -> dict[str, Tensor]:
    """One move of one turn."""
    moving = {name: _parameters(players[name]) for name in turn.players}
    for parameter in game.parameters():
        parameter.requires_grad_(False)
    for parameter in chain.from_iterable(moving.values()):
        parameter.requires_grad_(True)
        parameter.grad = None

    title = "+".join(turn.players)
    log: dict[str, Tensor] = {}
    count = _size(batch)
    for part in runtime.split(batch):
        share = _size(part) / count
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
    gradients = [p.grad for p in everything if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    # One look at the device a turn: a step on a gradient that is not finite destroys the run.
    finite = bool(torch.isfinite(norm))
    if finite:
        for name, parameters in moving.items():
            if name in clip:
                torch.nn.utils.clip_grad_norm_(parameters, clip[name])
            optimizers[name].step()
    log[f"{title}/grad_norm"] = norm
    log[f"{title}/skipped"] = torch.zeros_like(norm) if finite else torch.ones_like(norm)
    return log


def _size(batch: Batch) -> int:
    return len(next(iter(batch.values())))


def _parameters(modules: Iterator[nn.Module] | list[nn.Module]) -> list[nn.Parameter]:
    """The parameters of some modules, each once."""
    return list(dict.fromkeys(p for module in modules for p in module.parameters()))
