"""`check_game` passes every registered system and finds each kind of broken one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import zerosum
from zerosum.core import registry
from zerosum.core.runtime import Runtime
from zerosum.pipelines.check import Case, check_game
from zerosum.training.prepare import prepare

DOCS = Path(__file__).parents[2] / "docs" / "models"


def problems(system):
    return {finding.rule: finding.problem for finding in check_game(system) if finding.problem}


@pytest.mark.parametrize("name", zerosum.list_models())
def test_every_registered_system_keeps_the_contract(name):
    found = list(check_game(registry.system(name)))
    assert not [finding for finding in found if finding.problem]
    assert len(found) == 10  # no rule was left out


@pytest.mark.parametrize("name", zerosum.list_models())
def test_sample_i_of_a_seed_is_the_same_whatever_the_number(name):
    """Labels, codes and what else a sample holds included."""
    split, recipe = prepare(registry.recipe(f"{name}/tiny"), Runtime(torch.device("cpu")))
    case = Case(registry.system(name), recipe, split)
    game = case.build()
    most = case.drawn(game, 5, 130)
    for n in (1, 20, 40, 65):
        fewer = case.drawn(game, 5, n)
        assert fewer.keys() == most.keys()
        assert all(torch.equal(fewer[key], value[:n]) for key, value in most.items())
    assert set(game.conditions()) <= most.keys()


@pytest.mark.parametrize("name", zerosum.list_models())
def test_every_registered_system_has_its_page(name):
    page = DOCS / f"{name}.md"
    assert page.is_file(), f"write docs/models/{name}.md"
    assert page.read_text().startswith("# ")


@pytest.mark.parametrize("name", zerosum.list_models())
def test_every_preset_is_complete(name):
    """All can be written to JSON and read back."""
    system = registry.system(name)
    for preset in system.presets:
        recipe = registry.recipe(f"{name}/{preset}")
        again = type(recipe).from_json(recipe.to_json(), system.game.Config)
        assert not again.differences(recipe)


HEAD = '''"""A game with one fault."""

import torch
from torch import nn

from zerosum.core.game import Turn
from zerosum.data.fields import Category
from zerosum.core.recipe import Recipe
from zerosum.models.images.gan import GAN, PRESETS as GOOD

PRESETS = {"tiny": GOOD["tiny"]}


class Broken(GAN):
'''

RULES = {
    "builds": "it builds from its preset tiny",
    "optimizers": "each player has an optimizer in every preset",
    "terms": "terms are finite scalars",
    "gradients": "each turn gives gradients to its player and to nobody else",
    "moves": "a move changes its player and nobody else",
    "samples": "samples have the shapes of the data and repeat under a seed",
    "generators": "sampling needs the generators' weights only",
    "json": "configuration and recipe survive JSON",
    "exported": "an exported model samples as the game does",
}

BROKEN = {
    "it does not build": (
        """
    def __init__(self, config):
        super().__init__(config)
        raise ValueError("no luck")
""",
        "builds",
        "ValueError: no luck",
    ),
    "a term is not finite": (
        """
    def generator_loss(self, batch):
        return {"adversarial": super().generator_loss(batch)["adversarial"] * float("nan")}
""",
        "terms",
        "generator/adversarial is no finite scalar",
    ),
    "a term is no scalar": (
        """
    def generator_loss(self, batch):
        return {"adversarial": self.judge(self.sample(4)["image"])}
""",
        "terms",
        "generator/adversarial is no finite scalar",
    ),
    "a loss returns nothing": (
        """
    def discriminator_loss(self, batch):
        return {}
""",
        "terms",
        "the loss of discriminator returns no term",
    ),
    "a gradient leaks to the other player": (
        """
    def discriminator_loss(self, batch):
        for parameter in self.generator.parameters():
            parameter.requires_grad_(True)
        real = self.judge(batch["image"])
        fake = self.judge(self.sample(len(batch["image"]))["image"])
        return {"adversarial": self.objective.critic(real, fake)}
""",
        "gradients",
        "the turn of discriminator gives a gradient to generator",
    ),
    "a loss moves the other player by hand": (
        """
    def discriminator_loss(self, batch):
        with torch.no_grad():
            for parameter in self.generator.parameters():
                parameter.mul_(0.9)
        return super().discriminator_loss(batch)
""",
        "moves",
        "the turn of discriminator changes generator",
    ),
    "a parameter of a player is never used": (
        """
    def __init__(self, config):
        super().__init__(config)
        self.spare = nn.Linear(2, 2)

    def players(self):
        return super().players() | {"generator": [self.generator, self.spare]}
""",
        "gradients",
        "no turn gives a gradient to spare.weight, spare.bias",
    ),
    "two players share a network": (
        """
    def players(self):
        both = [self.discriminator, self.generator]
        return {"discriminator": both, "generator": [self.generator]}
""",
        "gradients",
        "players discriminator and generator share a parameter",
    ),
    "a player never plays": (
        """
    def turns(self):
        return [Turn("discriminator", self.discriminator_loss)]
""",
        "gradients",
        "no turn gives a gradient to generator",
    ),
    "randomness is not from rng": (
        """
    def latent(self, n, rng=None):
        return torch.randn(n, self.latent_size)
""",
        "samples",
        "'image' differs under the same seed: take randomness from rng",
    ),
    "samples have another shape than the data": (
        """
    def decode(self, z, condition):
        return {"image": super().decode(z, condition)["image"][:, :, :4]}
""",
        "samples",
        "sample(3)['image'] is (3, 1, 4, 8), not (3, 1, 8, 8)",
    ),
    "samples have no field of the data": (
        """
    def sample(self, n, *, rng=None, **condition):
        return {"picture": super().sample(n, rng=rng)["image"]}

    def discriminator_loss(self, batch):
        fake = self.sample(len(batch["image"]))["picture"].detach()
        return {"a": self.objective.critic(self.judge(batch["image"]), self.judge(fake))}

    def generator_loss(self, batch):
        return {"a": self.objective.generator(self.judge(self.sample(8)["picture"]))}
""",
        "samples",
        "samples have no field of the data",
    ),
    "conditions that nothing draws": (
        """
    def conditions(self):
        return {"label": Category(count=3)}
""",
        "samples",
        "`prior` must draw what `conditions` names",
    ),
    "sampling uses a module that generators() does not name": (
        """
    def __init__(self, config):
        super().__init__(config)
        self.colour = nn.Linear(1, 1)

    def players(self):
        return super().players() | {"generator": [self.generator, self.colour]}

    def generators(self):
        return [self.generator]

    def decode(self, z, condition):
        image = super().decode(z, condition)["image"]
        return {"image": self.colour(image[..., None])[..., 0]}
""",
        "generators",
        "samples depend on modules that `generators` does not name",
    ),
    "generators() names nothing of the game": (
        """
    def generators(self):
        return [nn.Linear(1, 1)]
""",
        "generators",
        "names no module of the game",
    ),
    "an optimizer is missing": (
        """
    pass


PRESETS["tiny"] = PRESETS["tiny"].model_copy(
    update={"optim": {"generator": PRESETS["tiny"].optim["generator"]}}
)
""",
        "optimizers",
        "preset tiny has optimizers for generator, the players are discriminator, generator",
    ),
    "an optimizer of nobody in another preset": (
        """
    pass


extra = PRESETS["tiny"].optim | {"judge": PRESETS["tiny"].optim["generator"]}
PRESETS["large"] = PRESETS["tiny"].model_copy(update={"optim": extra})
""",
        "optimizers",
        "preset large has optimizers for discriminator, generator, judge",
    ),
    "the configuration forgets itself in JSON": (
        """
    class Config(GAN.Config):
        secret: int = __import__("pydantic").Field(default=0, exclude=True)


tiny = PRESETS["tiny"]
model = Broken.Config(latent=8, hidden=(16, 16), secret=5)
PRESETS["tiny"] = tiny.model_copy(update={"model": model})
""",
        "json",
        "the configuration changes on its way through JSON",
    ),
    "a weight of sampling is not saved": (
        """
    def __init__(self, config):
        super().__init__(config)
        self.generator.register_buffer("shift", torch.randn(1), persistent=False)

    def decode(self, z, condition):
        return {"image": super().decode(z, condition)["image"] + self.generator.shift}
""",
        "exported",
        "the exported model gives other samples",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_each_fault_is_found_and_named(fault, tmp_path):
    body, rule, words = BROKEN[fault]
    file = tmp_path / f"broken_{list(BROKEN).index(fault)}.py"
    file.write_text(HEAD + body)
    found = problems(registry.system(file.stem, str(file)))
    assert words in found.get(RULES[rule], ""), found


def test_the_good_game_beside_them_has_no_fault(tmp_path):
    """So what the others show is their fault, not their surroundings'."""
    file = tmp_path / "not_broken.py"
    file.write_text(HEAD + "\n    pass\n")
    assert problems(registry.system("not_broken", str(file))) == {}


def test_the_command_says_which_rule_fails(run, tmp_path, monkeypatch):
    body, rule, words = BROKEN["randomness is not from rng"]
    file = tmp_path / "broken_by_command.py"
    file.write_text(HEAD + body)
    ended = run("check", file, status=1)
    assert f"FAIL  {RULES[rule]}" in ended.out
    assert words in ended.out
    ended = run("check", "gan")
    assert "gan keeps the contract" in ended.out
    assert "FAIL" not in ended.out
