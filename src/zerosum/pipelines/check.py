"""The public contract check of any game, run on its preset `tiny`.

The test suite runs it for every registered system; `zerosum check` runs it for yours.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from zerosum.core.draw import draw
from zerosum.core.ema import generator_state
from zerosum.core.engine import play_step
from zerosum.core.game import Game, LatentGame, Progress, Turn
from zerosum.core.recipe import Recipe
from zerosum.core.registry import System
from zerosum.core.remedies import with_remedies
from zerosum.core.runtime import Runtime
from zerosum.data.codec import read_codec
from zerosum.data.fields import finish
from zerosum.data.source import Source, Split
from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.pipelines import export
from zerosum.training.prepare import prepare
from zerosum.training.state import seed_everything


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
        "those who judge are players, and judge real examples and samples": case.critics,
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


POINTS = (0.0, 0.25, 0.5, 0.75, 0.999)
"""Points of the clock, as shares of a run, at which the turns are looked at: players may rest."""


class Case:
    """A game of one system, with data to try it on."""

    def __init__(self, system: System, recipe: Recipe, split: Split) -> None:
        self.system, self.recipe, self.codec = system, recipe, split.codec
        source = split.train
        if not isinstance(source, Source):
            raise UserError("the preset tiny needs data that can be counted, not a stream")
        self.fields = source.fields
        size = recipe.train.batch
        visits = Visits(0, np.arange(size, dtype=np.int64))
        rows = [number % len(source) for number in range(size)]
        self.batch = finish(source.fetch(rows, visits), self.fields)

    def build(self, share: float = 0.0) -> Game:
        """The game at a point of the clock."""
        seed_everything(0)
        game = self._built()
        train = self.recipe.train
        steps = int(share * train.examples / train.batch)
        game.progress = Progress(steps, steps * train.batch, train.examples)
        return game

    def _built(self) -> Game:
        return with_remedies(self.system.game, self.recipe.model, self.recipe.remedies)

    def drawn(self, game: Game, seed: int, n: int = 3) -> dict[str, Tensor]:
        """Samples, of the first inputs where the game maps."""
        rows = torch.arange(n) % self.recipe.train.batch
        return draw(game, n, seed, {name: self.batch[name][rows] for name in game.inputs()})

    def optimizers(self) -> None:
        players = set(self.build().players())
        for name, recipe in self.system.presets.items():
            if set(recipe.optim) != players:
                raise Broken(
                    f"preset {name} has optimizers for {', '.join(sorted(recipe.optim))}, "
                    f"the players are {', '.join(sorted(players))}"
                )

    def terms(self) -> None:
        for share in POINTS:
            game = self.build(share)
            for turn in game.turns():
                terms = turn.loss(self.batch)
                if not terms:
                    raise Broken(f"the loss of {_name(turn)} returns no term")
                for name, term in terms.items():
                    if not isinstance(term, Tensor) or term.ndim or not torch.isfinite(term):
                        raise Broken(f"{_name(turn)}/{name} is no finite scalar")

    def gradients(self) -> None:
        missed: list[str] | None = None
        for share in POINTS:
            rest = self._unreached(share)
            missed = rest if missed is None else [name for name in missed if name in rest]
            if not missed:
                return
        raise Broken(f"no turn gives a gradient to {', '.join(missed or ())}")

    def _unreached(self, share: float) -> list[str]:
        """Names of players' parameters that get no gradient at a point of the clock."""
        game = self.build(share)
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
        return [names[parameter] for parameter in owner if names[parameter] not in reached]

    def moves(self) -> None:
        for share in POINTS[::2]:
            game = self.build(share)
            players = game.players()
            for turn in game.turns():
                before = {n: [p.clone() for p in _parameters(players, n)] for n in players}
                optimizers = {n: torch.optim.SGD(_parameters(players, n), lr=0.1) for n in players}
                one = _only(game, turn)
                play_step(one, repeat(self.batch), optimizers, Runtime(torch.device("cpu")))
                for name, old in before.items():
                    after = _parameters(players, name)
                    changed = any(not torch.equal(a, b) for a, b in zip(old, after, strict=True))
                    if changed != (name in turn.players):
                        verb = "changes" if changed else "does not change"
                        raise Broken(f"the turn of {_name(turn)} {verb} {name}")

    def critics(self) -> None:
        game = self.build()
        judges, players = game.critics(), game.players()
        made = game.answered(self.batch)
        for name, critic in judges.items():
            if name not in players:
                raise Broken(f"`critics` names {name}, which is no player")
            for what, examples in (("real examples", self.batch), ("samples", made)):
                logits = critic(examples)
                if not isinstance(logits, Tensor) or not bool(logits.isfinite().all()):
                    raise Broken(f"the critic of {name} gives no finite logits of {what}")
        for turn in game.turns():
            turn.loss(self.batch)
        if {"real_logits", "fake_logits"} <= set(game.signals) and not judges:
            raise Broken("a loss reports logits, but `critics` names nobody who judges")

    def samples(self) -> None:
        game = self.build()
        first, again = self.drawn(game, 1), self.drawn(game, 1)
        for name, value in first.items():
            field = self.fields.get(name)
            if field is not None and not _fits(tuple(value.shape), (3, *field.shape)):
                raise Broken(
                    f"sample(3)['{name}'] is {tuple(value.shape)}, not {(3, *field.shape)}"
                )
            if not torch.equal(value, again[name]):
                raise Broken(f"'{name}' differs under the same seed: take randomness from rng")
        if not set(first) & set(self.fields):
            raise Broken("samples have no field of the data")
        if isinstance(game, LatentGame) and set(game.prior(2)) != set(game.conditions()):
            raise Broken("`prior` must draw what `conditions` names")

    def generators(self) -> None:
        game = self.build()
        before = self.drawn(game, 2)
        kept = generator_state(game)
        if not kept:
            raise Broken("`generators` names no module of the game")
        for name, tensor in game.state_dict().items():
            if name not in kept and isinstance(tensor, Tensor) and tensor.is_floating_point():
                tensor.fill_(float("nan"))
        after = self.drawn(game, 2)
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
            export.write(game, self.recipe, self.codec, path, Path(folder) / "none")
            weights = {n: t.clone() for n, t in game.state_dict().items() if isinstance(t, Tensor)}
            again = self._built()
            export.fill(again, path)
            kept = read_codec(type(self.codec), path)
        if kept is None or kept.hash != self.codec.hash:
            raise Broken("the codec changes on its way through the export")
        if any(not torch.equal(weights[n], t) for n, t in generator_state(again).items()):
            raise Broken("weights change on their way through the export")
        before, after = self.drawn(game, 3), self.drawn(again, 3)
        if any(not torch.equal(before[name], after[name]) for name in before):
            raise Broken("the exported model gives other samples")


def _only(game: Game, turn: Turn) -> Game:
    """The game, playing one turn only, now."""
    once = Turn(turn.player, turn.loss)
    game.turns = lambda: [once]
    game.after_step = lambda progress: None
    return game


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Whether a shape is the wanted one, any length where that varies."""
    return len(shape) == len(wanted) and all(b in (None, a) for a, b in zip(shape, wanted))


def _parameters(players: dict, name: str) -> list[torch.nn.Parameter]:
    return [p for module in players[name] for p in module.parameters()]


def _name(turn: Turn) -> str:
    return "+".join(turn.players)
