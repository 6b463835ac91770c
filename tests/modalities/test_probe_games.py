"""Games of many shapes that keep the house honest: each is trained, watched, stopped, gone on."""

from __future__ import annotations

import json

import pytest
import torch
import torch.nn.functional as F
from probe_kind import MODALITY, Probe
from torch import nn

from zerosum.core.draw import draw
from zerosum.core.frozen import Frozen
from zerosum.core.game import Game, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train
from zerosum.core.registry import System
from zerosum.data.fields import Category, Numbers
from zerosum.data.spec import GameConfig
from zerosum.errors import UserError
from zerosum.losses.objectives import OBJECTIVES
from zerosum.nets.mlp import mlp
from zerosum.pipelines.check import check_game
from zerosum.training import checkpoint
from zerosum.training.run import RunFolder, read_run
from zerosum.training.trainer import Trainer

HINGE = OBJECTIVES["hinge"]


class Pair(Game):
    """A generator and a critic; what they see is said by `shown` and `sample`."""

    def build(self, generator, critic):
        self.generator, self.critic = generator, critic

    def players(self):
        return {"critic": [self.critic], "generator": [self.generator]}

    def critics(self):
        return {"critic": self.judged}

    def judged(self, batch):
        return self.critic(self.shown(batch)).squeeze(1)

    def turns(self):
        return [Turn("critic", self.critic_loss), Turn("generator", self.generator_loss)]

    def critic_loss(self, batch):
        with torch.no_grad():
            made = self.answered(batch)
        return {"game": HINGE.critic(self.judged(batch), self.judged(made))}

    def generator_loss(self, batch):
        return {"game": HINGE.generator(self.judged(self.answered(batch)))}


class Translator(Pair):
    """Maps an input to an answer and draws no noise; a frozen helper looks at both."""

    def __init__(self, config):
        super().__init__(config)
        self.build(mlp([3, 8, 2]), mlp([5, 8, 1]))
        self.helper = Frozen(nn.Linear(2, 2), name="helper", hash="abc")

    def inputs(self):
        return {"input": Numbers(shape=(3,))}

    def shown(self, batch):
        return torch.cat([batch["input"], self.helper(batch["answer"])], 1)

    def sample(self, n, *, rng=None, **condition):
        return {"answer": self.generator(condition["input"]), "input": condition["input"]}


class Graph(Pair):
    """Two fields, judged together by a critic that gives a list of maps."""

    def __init__(self, config):
        super().__init__(config)
        self.build(mlp([4, 16, 28]), nn.ModuleList([mlp([28, 8, 1]), mlp([16, 8, 1])]))

    def judged(self, batch):
        edges = batch["edges"].flatten(1)
        both = torch.cat([batch["nodes"].flatten(1), edges], 1)
        return torch.cat([self.critic[0](both), self.critic[1](edges)], 1)

    def sample(self, n, *, rng=None, **condition):
        numbers = self.generator(self.normal(n, 4, rng=rng))
        half = numbers[:, 12:].unflatten(1, (4, 4))
        return {"nodes": numbers[:, :12].unflatten(1, (4, 3)), "edges": (half + half.mT) / 2}

    def generator_loss(self, batch):
        made = self.answered(batch)
        self.made = {name: value.detach() for name, value in made.items()}
        return {"game": HINGE.generator(self.judged(made))}

    def offers(self):
        """Graphs with many edges are good."""
        return self.made, self.made["edges"].sum((1, 2))


class TokenGame(Pair):
    """Likelihood first, then a game: the critic rests for the first half of the run."""

    class Options(Game.Options):
        temperature: float = 1.0

    def __init__(self, config):
        super().__init__(config)
        self.build(mlp([4 + 3, 16, 30]), mlp([30 + 3, 8, 1]))

    def conditions(self):
        return {"label": Category(count=3)}

    def turns(self):
        if self.progress.seen < self.progress.total / 2:
            return [Turn("generator", self.likelihood)]
        return super().turns()

    def likelihood(self, batch):
        made = self.answered(batch)["text"]
        return {"nll": -(made.clamp_min(1e-6).log() * batch["text"]).sum((1, 2)).mean()}

    def shown(self, batch):
        label = F.one_hot(batch["label"], 3).float()
        return torch.cat([batch["text"].flatten(1), label], 1)

    def sample(self, n, *, rng=None, **condition):
        z = self.normal(n, 4, rng=rng)
        label = condition.get("label")
        label = self.uniform_labels(n, 3, rng) if label is None else label
        logits = self.generator(torch.cat([z, F.one_hot(label, 3).float()], 1)).unflatten(
            1, (6, 5)
        )
        return {"text": (logits / self.options.temperature).softmax(2), "label": label}


class Vocoder(Pair):
    """A mel in, a waveform out; two critics, of which one plays every fifth step, and a count."""

    def __init__(self, config):
        super().__init__(config)
        self.build(mlp([32 + 4, 16, 32]), mlp([32, 8, 1]))
        self.other = mlp([16, 8, 1])
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def inputs(self):
        return {"mel": Numbers(shape=(4, 8))}

    def players(self):
        return {**super().players(), "other": [self.other]}

    def critics(self):
        return {"critic": self.judged, "other": self.coarse}

    def turns(self):
        return [Turn("other", self.other_loss, every=5), *super().turns()]

    def shown(self, batch):
        return batch["wave"]

    def coarse(self, batch):
        return self.other(batch["wave"][:, ::2]).squeeze(1)

    def other_loss(self, batch):
        made = self.answered(batch)
        return {"game": HINGE.critic(self.coarse(batch), self.coarse(made))}

    def sample(self, n, *, rng=None, **condition):
        mel = condition["mel"]
        z = self.normal(n, 4, rng=rng)
        return {"wave": self.generator(torch.cat([mel.flatten(1), z], 1)), "mel": mel}

    def after_step(self, progress):
        self.steps += 1


GAMES = {"translator": Translator, "graph": Graph, "tokens": TokenGame, "wave": Vocoder}


def recipe_of(name, **train):
    game = GAMES[name](GameConfig())
    return Recipe(
        system=f"probe-{name}",
        preset="tiny",
        model=GameConfig(),
        data=Probe(name=name),
        optim={player: Optim(lr=1e-3) for player in game.players()},
        ema=Averaging(half_life=200),
        train=Train(**{"examples": 1_280, "batch": 16, "checkpoint_every": 320, **train}),
        evaluate=Evaluate(samples=64),
    )


@pytest.fixture
def known(monkeypatch):
    """The registry knows the probe games."""
    systems = {
        f"probe-{name}": System(f"probe-{name}", game, {"tiny": recipe_of(name)}, "a probe")
        for name, game in GAMES.items()
    }
    for module in ("core.registry", "training.run", "pipelines.export"):
        monkeypatch.setattr(f"zerosum.{module}.system", lambda name, module=None: systems[name])
    return systems


@pytest.mark.parametrize("name", GAMES)
def test_the_contract_holds(known, name):
    assert [f for f in check_game(known[f"probe-{name}"]) if f.problem] == []


@pytest.mark.parametrize("name", GAMES)
def test_rest_is_called_neither_death_nor_imbalance(known, name, tmp_path, monkeypatch):
    monkeypatch.setattr("zerosum.doctor.doctor.SHARE", 1e9)  # looks cost more than such steps
    recipe = recipe_of(name).override({"doctor.every": 32})
    Trainer(recipe, tmp_path / "run", device="cpu", quiet=True).fit()
    looks = [json.loads(line) for line in (tmp_path / "run" / "checkups.jsonl").open()]
    assert len(looks) == 40
    named = {failure for row in looks for failure in row["failures"]}
    assert not named & {"dead run", "imbalance", "exploding", "vanishing gradient"}
    assert {"critic_auc", "variety", "coverage"} <= set(looks[-1]["signals"])
    strides = [{k for k in row["signals"] if k.startswith("stride/")} for row in looks]
    if name == "tokens":
        assert strides[0] == {"stride/generator"}
        assert strides[-1] == {"stride/generator", "stride/critic"}
    if (
        name == "wave"
    ):  # looks come after steps 2, 4, ..., 80; the other critic plays 0, 5, 10, ...
        played = [row["step"] % 5 == 1 for row in looks]
        assert ["stride/other" in found for found in strides] == played and any(played)


@pytest.mark.parametrize("name", GAMES)
def test_a_run_in_two_halves_is_the_run_in_one(known, name, tmp_path):
    for folder, parts in (("whole", (1_280,)), ("halves", (640, 1_280))):
        for examples in parts:
            recipe = recipe_of(name).override({"train.examples": 1_280})
            if name != "tokens":  # whose phases follow from the length
                recipe = recipe_of(name, examples=examples)
            Trainer(recipe, tmp_path / folder, device="cpu", quiet=True).fit()
    states = [
        checkpoint.load(checkpoint.latest(RunFolder(tmp_path / n).checkpoints)[0])
        for n in ("whole", "halves")
    ]
    assert all(torch.equal(v, states[1].game[k]) for k, v in states[0].game.items())
    assert all(torch.equal(v, states[1].ema[k]) for k, v in states[0].ema.items())
    assert states[0].game.get("steps", torch.tensor(80)) == 80, "after_step, once a step"


def test_what_a_source_took_in_is_in_every_checkpoint(known, tmp_path):
    ends = {}
    for folder, elite, parts in (
        ("whole", True, (640,)),
        ("halves", True, (320, 640)),
        ("plain", False, (640,)),
    ):
        for examples in parts:
            recipe = recipe_of("graph", examples=examples).override({"data.elite": elite})
            Trainer(recipe, tmp_path / folder, device="cpu", quiet=True).fit()
        newest, _ = checkpoint.latest(RunFolder(tmp_path / folder).checkpoints)
        ends[folder] = checkpoint.load(newest)
    whole, halves = ends["whole"].training["source"], ends["halves"].training["source"]
    assert whole.keys() == {"nodes", "edges", "scores"}
    assert all(torch.equal(value, halves[name]) for name, value in whole.items())
    assert (whole["scores"] > 0).sum() > 100, "most examples were replaced"
    assert "source" not in ends["plain"].training
    same = [
        all(torch.equal(v, ends["whole"].game[n]) for n, v in ends[folder].game.items())
        for folder in ("halves", "plain")
    ]
    assert same == [True, False], "what was taken in is learned from, and resumed exactly"


def test_a_frozen_helper_is_in_no_checkpoint_and_guards_its_hash(known, tmp_path):
    Trainer(recipe_of("translator"), tmp_path / "run", device="cpu", quiet=True).fit()
    saved = read_run(tmp_path / "run")
    assert not [name for name in saved.snapshot.game if "helper" in name]
    game = saved.game
    assert "helper" not in str(dict(game.named_parameters()).keys())
    assert game.double().helper.network.weight.dtype == torch.float64, "it follows the game"
    other = Frozen(nn.Linear(2, 2), name="helper", hash="xyz")
    with pytest.raises(UserError, match=r"helper has other weights \(xyz"):
        other.set_extra_state(game.helper.get_extra_state())


def test_inputs_come_from_held_out_examples_and_options_reach_the_game(known):
    with pytest.raises(UserError, match="maps input to samples"):
        draw(Translator(GameConfig()), 2, 0)
    game = TokenGame(GameConfig())
    sharp = draw(game, 8, 0, options=TokenGame.Options(temperature=1e-4))["text"]
    plain = draw(game, 8, 0)["text"]
    assert sharp.amax(2).mean() > 0.99 > plain.amax(2).mean()
    assert game.options == TokenGame.Options()
    asked = draw(game, 5, 0, {"label": torch.tensor([2, 1, 0, 2, 1])})["label"]
    assert asked.tolist() == [2, 1, 0, 2, 1]


def test_tokens_are_not_taken_for_pixels():
    some = Probe(name="tokens").open().train.some(4)["text"]
    assert some.shape == (4, 6, 5) and torch.equal(some.sum(2), torch.ones(4, 6))
    assert MODALITY.rows({"text": some}).shape == (4, 30)
