"""The public contract check of any game, run on its preset `tiny`.

The test suite runs it for every registered system; `zerosum check` runs it for yours.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import torch
from torch import Tensor

from zerosum.core import export
from zerosum.core.ema import generator_state
from zerosum.core.engine import play_step
from zerosum.core.game import Game, LatentGame, Turn
from zerosum.core.prepare import prepare
from zerosum.core.recipe import Recipe
from zerosum.core.registry import System
from zerosum.core.run import seed_everything
from zerosum.core.runtime import Runtime
from zerosum.core.scores import draw
from zerosum.data.source import Source, Split, finish
from zerosum.errors import UserError


@dataclass(frozen=True)
class Finding:
    """One rule and what breaks it, None when it is kept."""

    rule: str
    problem: str | None = None


class Broken(Exception):  # noqa: N818 (a finding, not an error of the program)
    """A rule that a game breaks."""


def check_game(system: System) -> Iterator[Finding]:
    """Check a system's game on its preset `tiny`, rule by rule.

    Args:
        system: What `zerosum.core.registry.system` gives.

    Yields:
        One finding per rule; a later rule is not tried when the game cannot be built.
    """
    recipe = system.presets["tiny"].model_copy(update={"system": system.name, "preset": "tiny"})
    runtime = Runtime(torch.device("cpu"))
    try:
        split, recipe = prepare(recipe, runtime)
        case = Case(system, recipe, split)
        case.build()
    except (Exception, UserError) as error:
        yield Finding("it builds from its preset tiny", f"{type(error).__name__}: {error}")
        return
    yield Finding("it builds from its preset tiny")
    rules: dict[str, Callable[[], None]] = {
        "each player has an optimizer in every preset": case.optimizers,
        "terms are finite scalars": case.terms,
        "each turn gives gradients to its player and to nobody else": case.gradients,
        "a move changes its player and nobody else": case.moves,
        "samples have the shapes of the data and repeat under a seed": case.samples,
        "sampling needs the generators' weights only": case.generators,
        "configuration and recipe survive JSON": case.json,
        "an exported model samples as the game does": case.exported,
    }
    for rule, test in rules.items():
        try:
            test()
            yield Finding(rule)
        except Broken as broken:
            yield Finding(rule, str(broken))
        except Exception as error:
            yield Finding(rule, f"{type(error).__name__}: {error}")


class Case:
    """A game of one system, with data to try it on."""

    def __init__(self, system: System, recipe: Recipe, split: Split) -> None:
        self.system, self.recipe = system, recipe
        if not isinstance(split.train, Source):
            raise UserError("the preset tiny needs data that can be counted, not a stream")
        self.shapes = split.train.shapes
        self.batch = finish(split.train.fetch(range(8)))

    def build(self) -> Game:
        seed_everything(0)
        return self.system.game(self.recipe.model)

    def optimizers(self) -> None:
        players = set(self.build().players())
        for name, recipe in self.system.presets.items():
            if set(recipe.optim) != players:
                raise Broken(
                    f"preset {name} has optimizers for {', '.join(sorted(recipe.optim))}, "
                    f"the players are {', '.join(sorted(players))}"
                )

    def terms(self) -> None:
        game = self.build()
        for turn in game.turns():
            terms = turn.loss(self.batch)
            if not terms:
                raise Broken(f"the loss of {_name(turn)} returns no term")
            for name, term in terms.items():
                if not isinstance(term, Tensor) or term.ndim or not torch.isfinite(term):
                    raise Broken(f"{_name(turn)}/{name} is no finite scalar")

    def gradients(self) -> None:
        game = self.build()
        players = game.players()
        owner = {}
        for name, modules in players.items():
            for module in modules:
                for parameter in module.parameters():
                    if owner.setdefault(parameter, name) != name:
                        raise Broken(f"players {owner[parameter]} and {name} share a parameter")
        names = {parameter: name for name, parameter in game.named_parameters()}
        reached: set[str] = set()
        for turn in game.turns():
            one = _only(game, turn)
            optimizers = {n: torch.optim.SGD(_parameters(players, n), lr=0.0) for n in players}
            play_step(one, repeat(self.batch), optimizers, Runtime(torch.device("cpu")))
            for parameter, name in names.items():
                if parameter.grad is None:
                    continue
                if owner.get(parameter) not in turn.players:
                    raise Broken(f"the turn of {_name(turn)} gives a gradient to {name}")
                reached.add(name)
            game.zero_grad(set_to_none=True)
        missed = [names[p] for p in owner if names[p] not in reached]
        if missed:
            raise Broken(f"no turn gives a gradient to {', '.join(missed)}")

    def moves(self) -> None:
        game = self.build()
        players = game.players()
        for turn in game.turns():
            before = {n: [p.clone() for p in _parameters(players, n)] for n in players}
            optimizers = {n: torch.optim.SGD(_parameters(players, n), lr=0.1) for n in players}
            play_step(
                _only(game, turn), repeat(self.batch), optimizers, Runtime(torch.device("cpu"))
            )
            for name, old in before.items():
                after = _parameters(players, name)
                changed = any(not torch.equal(a, b) for a, b in zip(old, after, strict=True))
                if changed != (name in turn.players):
                    verb = "changes" if changed else "does not change"
                    raise Broken(f"the turn of {_name(turn)} {verb} {name}")

    def samples(self) -> None:
        game = self.build()
        first, again = draw(game, 3, seed=1), draw(game, 3, seed=1)
        for name, value in first.items():
            expected = self.shapes.get(name)
            if expected is not None and tuple(value.shape) != (3, *expected):
                raise Broken(f"sample(3)['{name}'] is {tuple(value.shape)}, not {(3, *expected)}")
            if not torch.equal(value, again[name]):
                raise Broken(f"'{name}' differs under the same seed: take randomness from rng")
        if not set(first) & set(self.shapes):
            raise Broken("samples have no field of the data")
        if isinstance(game, LatentGame) and set(game.prior(2)) != set(game.conditions):
            raise Broken("`prior` must draw what `conditions` names")

    def generators(self) -> None:
        game = self.build()
        before = draw(game, 3, seed=2)
        kept = generator_state(game)
        if not kept:
            raise Broken("`generators` names no module of the game")
        for name, tensor in game.state_dict().items():
            if name not in kept and isinstance(tensor, Tensor) and tensor.is_floating_point():
                tensor.fill_(float("nan"))
        after = draw(game, 3, seed=2)
        if any(not torch.equal(before[name], after[name]) for name in before):
            raise Broken("samples depend on modules that `generators` does not name")

    def json(self) -> None:
        config = type(self.recipe.model)
        if config.model_validate_json(self.recipe.model.model_dump_json()) != self.recipe.model:
            raise Broken("the configuration changes on its way through JSON")
        again = Recipe.from_json(self.recipe.to_json(), config)
        if again.differences(self.recipe):
            raise Broken("the recipe changes on its way through JSON")

    def exported(self) -> None:
        game = self.build().eval()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model"
            export.write(game, self.recipe, path, Path(folder) / "none")
            weights = {n: t.clone() for n, t in game.state_dict().items() if isinstance(t, Tensor)}
            again = self.system.game(self.recipe.model)
            export.fill(again, path)
        if any(not torch.equal(weights[n], t) for n, t in generator_state(again).items()):
            raise Broken("weights change on their way through the export")
        before, after = draw(game, 3, seed=3), draw(again, 3, seed=3)
        if any(not torch.equal(before[name], after[name]) for name in before):
            raise Broken("the exported model gives other samples")


def _only(game: Game, turn: Turn) -> Game:
    """The game, playing one turn only, now."""
    once = Turn(turn.player, turn.loss)
    game.turns = lambda: [once]
    return game


def _parameters(players: dict, name: str) -> list[torch.nn.Parameter]:
    return [p for module in players[name] for p in module.parameters()]


def _name(turn: Turn) -> str:
    return "+".join(turn.players)
