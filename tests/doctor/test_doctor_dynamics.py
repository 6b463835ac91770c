"""The game's spectrum and the duality gap against games that are solved by hand."""

from __future__ import annotations

import pytest
import torch

from zerosum.bench.ward.patients.dirac import Dirac
from zerosum.core.optim import Optim, build_optimizers
from zerosum.core.registry import recipe, system
from zerosum.core.runtime import Runtime
from zerosum.doctor import dynamics
from zerosum.doctor.checkup import Reference
from zerosum.doctor.dynamics import duality_gap, game_spectrum
from zerosum.modalities import modality
from zerosum.training.prepare import prepare


class Point(Dirac):
    """The Dirac-GAN itself: the generator makes one point."""

    def decode(self, z, condition):
        return {"point": self.generator(0 * z)}


def dirac(gamma: float, theta: float = 0.0, psi: float = 0.0) -> Point:
    game = Point(Point.Config(start=theta, gamma=gamma))
    with torch.no_grad():
        game.discriminator.weight.fill_(psi)
    return game


@pytest.mark.parametrize("gamma", [0.0, 0.3, 0.9, 2.0])
def test_the_dirac_gan_has_the_eigenvalues_of_the_paper(gamma):
    """-gamma/2 +- sqrt(gamma^2/4 - f'(0)^2) with f'(0) = 1/2 (Mescheder et al. 2018, sec. 4.1)."""
    found = game_spectrum(dirac(gamma), {"point": torch.zeros(8, 1)})
    root = complex(gamma**2 / 4 - 1 / 4) ** 0.5
    expected = sorted((-gamma / 2 + root, -gamma / 2 - root), key=lambda v: (v.real, v.imag))
    got = sorted(found.tolist(), key=lambda v: (round(v.real, 6), v.imag))
    assert got == pytest.approx(expected, abs=1e-6)


def test_arnoldi_finds_the_largest_eigenvalues(monkeypatch):
    recipe_ = recipe("toy/tiny").override({"model.hidden": [8], "model.dimensions": 2})
    torch.manual_seed(0)
    game = system("toy").game(recipe_.model)
    batch = {"point": torch.randn(32, 2, generator=torch.Generator().manual_seed(0))}
    whole = game_spectrum(game, batch, count=2)
    before = {name: value.clone() for name, value in game.state_dict().items()}
    monkeypatch.setattr(dynamics, "EXACT", 0)
    some = game_spectrum(game, batch, count=2)
    assert some.abs().tolist() == pytest.approx(whole.abs().tolist(), rel=1e-3)
    assert all(torch.equal(value, before[name]) for name, value in game.state_dict().items())


def test_a_gap_is_near_0_at_the_solution_and_above_it_elsewhere():
    points = {"point": torch.zeros(512, 1)}
    rule = {"discriminator": Optim(lr=0.02), "generator": Optim(lr=0.02)}
    gaps = {}
    for theta in (0.0, 1.0):
        game = dirac(0.0, theta=theta)
        optimizers = build_optimizers(rule, game.players())
        gaps[theta], critic, generator = duality_gap(game, optimizers, points, points, steps=50)
        assert gaps[theta] == pytest.approx(critic + generator)
    assert abs(gaps[0.0]) < 1e-6
    assert gaps[1.0] > 0.1


def test_a_gap_needs_a_critic():
    split, found = prepare(recipe("vae/tiny"), Runtime.start("cpu"))
    game = system("vae").game(found.model)
    reference = Reference.of(split, modality.find("images"), game)
    optimizers = build_optimizers(found.optim, game.players())
    with pytest.raises(ValueError, match="critic"):
        duality_gap(game, optimizers, reference.train, reference.held_out)
