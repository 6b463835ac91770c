"""A checkup leaves no trace, whatever the game holds."""

from __future__ import annotations

import copy

import pytest
import torch

from zerosum.core.game import LatentGame
from zerosum.core.registry import recipe, system
from zerosum.core.runtime import Runtime
from zerosum.data.source import Split, TensorSource
from zerosum.doctor.checkup import Reference, checkup
from zerosum.doctor.probe import critic_turn, tangents, undisturbed
from zerosum.modalities import modality
from zerosum.modalities.points import PointCodec
from zerosum.training.prepare import prepare


@pytest.fixture(scope="module")
def split():
    return prepare(recipe("dcgan/tiny"), Runtime.start("cpu"))[0]


def built(name: str):
    _, found = prepare(recipe(name), Runtime.start("cpu"))
    torch.manual_seed(0)
    return system(found.system).game(found.model)


def state(game) -> dict:
    return {name: copy.deepcopy(value) for name, value in game.state_dict().items()}


# Batch norm, power iterations, a schedule's state, conditions, several critics, no critic.
@pytest.mark.parametrize(
    "name", ["dcgan", "sngan", "began", "cgan", "infogan", "lapgan", "vae", "pacgan", "improved"]
)
def test_a_checkup_changes_nothing(split, name):
    game = built(f"{name}/tiny")
    reference = Reference.of(split, modality.find("images"), game)
    before, rng = state(game), torch.get_rng_state()
    game.report(mark=torch.ones(1))
    first = checkup(game, reference, 16)
    assert torch.equal(torch.get_rng_state(), rng)
    assert game.training and set(game.signals) == {"mark"}
    for key, value in game.state_dict().items():
        torch.testing.assert_close(value, before[key], rtol=0, atol=0, msg=key)
    assert all(p.grad is None and p.requires_grad for p in game.parameters())
    assert checkup(game, reference, 16).signals == first.signals


def test_what_goes_wrong_inside_is_put_back_too():
    game = built("dcgan/tiny")
    before = state(game)

    def stumble():
        with undisturbed(game, 0):
            game.sample(32)
            game.eval()
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        stumble()
    assert game.training
    assert all(torch.equal(v, before[k]) for k, v in game.state_dict().items())


def test_the_critics_turn_is_that_of_the_player_who_judges():
    turn = critic_turn(built("cgan/tiny"))
    assert turn is not None and turn.players == ("discriminator",)
    assert critic_turn(built("vae/tiny")) is None


class Linear(LatentGame):
    """Samples that are a known linear function of the code."""

    def __init__(self):
        super().__init__(None)
        self.weight = torch.nn.Parameter(torch.diag(torch.tensor([4.0, 3, 2, 1, 0])))

    def players(self):
        return {"generator": [self]}

    def turns(self):
        return []

    def latent(self, n, rng=None):
        return self.normal(n, 5, rng=rng)

    def decode(self, z, condition):
        return {"point": z @ self.weight}


def test_tangents_are_the_jacobian_along_orthonormal_directions():
    moved = tangents(Linear(), modality.find("points"), torch.Generator().manual_seed(0), codes=3)
    assert moved is not None and moved.shape == (3, 5, 5)
    for jacobian in moved:
        values = torch.linalg.svdvals(jacobian)
        assert torch.allclose(values, torch.tensor([4.0, 3, 2, 1, 0]), atol=1e-2)


class Steps(Linear):
    """Samples of whole numbers, in the plane of five points."""

    def decode(self, z, condition):
        return {"point": super().decode(z, condition)["point"].round()}


@pytest.mark.parametrize(("game", "told"), [(Linear, True), (Steps, False)])
def test_directions_are_told_of_samples_that_have_a_slope(game, told):
    rng = torch.Generator().manual_seed(0)
    points = torch.randn(300, 5, generator=rng)
    codec = PointCodec(5)
    source = TensorSource({"point": points}, codec.fields, name="made")
    made = game()
    reference = Reference.of(Split(source, None, "", codec), modality.find("points"), made)
    found = checkup(made, reference, 16).signals
    assert ("directions" in found) is told
    if told:  # (16 + 9 + 4 + 1)^2 / (256 + 81 + 16 + 1)
        assert found["directions"] == pytest.approx(900 / 354, rel=0.01)
