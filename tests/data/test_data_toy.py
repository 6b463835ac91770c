"""Toy laws: samples, densities and modes agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from zerosum.errors import UserError
from zerosum.modalities.points import Toy

NAMES = ("ring", "grid", "spiral", "moons", "checkerboard", "rings", "gaussian", "mixture")
KNOWN = ("ring", "grid", "gaussian", "mixture")


def drawn(**options):
    source = Toy(**options).open().train
    return source.fetch(range(len(source)))


@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_counts(name):
    split = Toy(name=name, count=200, holdout=0.25).open()
    assert split.heldout is not None
    assert (len(split.train), len(split.heldout)) == (200, 50)
    assert split.heldout_note == "50 more points of the same law, seed 0"
    width = 1 if name in ("gaussian", "mixture") else 2
    assert split.train.shapes["point"] == (width,)
    batch = split.train.fetch([5, 5, 7])
    assert batch["point"].dtype == torch.float32 and batch["point"].shape == (3, width)
    assert ("label" in batch) == (name in ("ring", "grid", "mixture"))
    held = split.heldout.fetch(range(50))["point"]
    assert not torch.equal(held, split.train.fetch(range(50))["point"])


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides(name):
    one, again = drawn(name=name, count=20), drawn(name=name, count=20)
    assert torch.equal(one["point"], again["point"])
    assert not torch.equal(one["point"], drawn(name=name, count=20, seed=1)["point"])


@pytest.mark.parametrize("name", ["ring", "grid", "mixture"])
def test_labels_are_the_modes_of_the_points(name):
    batch = drawn(name=name, count=2000)
    means, sigma = Toy(name=name).modes_of()
    assert sigma == {"ring": 0.01, "grid": 0.05, "mixture": 0.5}[name]
    away = batch["point"] - means[batch["label"]]
    assert away.std().item() == pytest.approx(sigma, rel=0.06)
    shares = torch.bincount(batch["label"], minlength=len(means)) / 2000
    expected = torch.tensor([0.25, 0.5, 0.25]) if name == "mixture" else 1 / len(means)
    assert (shares - expected).abs().max() < 0.05


def test_defaults_of_the_literature():
    means, _ = Toy(name="ring").modes_of()
    assert means.shape == (8, 2)
    assert torch.allclose(means.norm(dim=1), torch.ones(8))
    assert torch.allclose(means[2], torch.tensor([0.0, 1.0]), atol=1e-6)
    means, _ = Toy(name="grid").modes_of()
    assert sorted(map(tuple, means.tolist())) == [
        (x, y) for x in (-4.0, -2.0, 0.0, 2.0, 4.0) for y in (-4.0, -2.0, 0.0, 2.0, 4.0)
    ]


@pytest.mark.parametrize(("name", "reach", "sigma"), [("grid", 6.0, 0.3), ("ring", 3.0, 0.2)])
def test_densities_in_the_plane_integrate_to_one(name, reach, sigma):
    axis = torch.arange(-reach, reach, 0.04, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis)
    total = Toy(name=name, sigma=sigma).log_density(points).exp().sum() * 0.04**2
    assert total.item() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("options", [{"name": "mixture"}, {"name": "gaussian", "std": 0.7}])
def test_densities_on_the_line_integrate_to_one(options):
    axis = torch.arange(-8, 8, 0.001, dtype=torch.float64)[:, None]
    total = Toy(**options).log_density(axis).exp().sum() * 0.001
    assert total.item() == pytest.approx(1, abs=1e-6)


def test_gaussian_has_the_law_it_says():
    config = Toy(name="gaussian", mean=4.0, std=1.25, count=50_000)
    points = drawn(name="gaussian", mean=4.0, std=1.25, count=50_000)["point"]
    assert points.mean().item() == pytest.approx(4.0, abs=0.03)
    assert points.std().item() == pytest.approx(1.25, abs=0.03)
    at = torch.tensor([[5.25]], dtype=torch.float64)
    expected = -0.5 - math.log(1.25 * math.sqrt(2 * math.pi))
    assert config.log_density(at).item() == pytest.approx(expected)
    means, sigma = config.modes_of()
    assert means.tolist() == [[4.0]] and sigma == 1.25


def test_mean_log_density_is_minus_the_entropy():
    """Samples and density agree: for far modes the entropy is ln K + ln(2 pi e sigma^2)."""
    points = drawn(name="ring", count=20_000)["point"].double()
    entropy = math.log(8) + math.log(2 * math.pi * math.e * 0.01**2)
    assert Toy(name="ring").log_density(points).mean().item() == pytest.approx(-entropy, abs=0.03)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in KNOWN])
def test_unknown_laws_say_so(name):
    with pytest.raises(UserError, match=f"{name} has no density in closed form: use ring"):
        Toy(name=name).log_density(torch.zeros(1, 2))
    with pytest.raises(UserError, match=f"{name} has no modes in closed form"):
        Toy(name=name).modes_of()


def test_shapes_lie_where_they_should():
    board = drawn(name="checkerboard", count=4000)["point"].numpy()
    squares = np.floor(board + 2).astype(int)
    assert squares.min() == 0 and squares.max() == 3
    assert (squares.sum(1) % 2 == 0).all() and len(np.unique(squares, axis=0)) == 8
    circles = drawn(name="rings", count=4000, sigma=0)["point"].norm(dim=1) * 4
    assert torch.allclose(circles, circles.round(), atol=1e-5)
    assert circles.round().unique().tolist() == [1, 2, 3, 4]
    arm = drawn(name="spiral", count=4000, sigma=0)["point"].double()
    radius, angle = arm.norm(dim=1), torch.atan2(arm[:, 1], arm[:, 0])
    turned = (radius * 3 * math.pi - angle) / math.pi  # whole half turns, one arm or the other
    assert radius.max() <= 1 + 1e-6 and torch.allclose(turned, turned.round(), atol=1e-4)
    moon = drawn(name="moons", count=4000, sigma=0)["point"]
    centre = torch.where(moon[:, 1:] > 0.25, 1.0, 0.0)
    upper = ((moon - torch.tensor([-0.5, -0.25])).norm(dim=1) - 1).abs() < 1e-5
    lower = ((moon - torch.tensor([0.5, 0.25])).norm(dim=1) - 1).abs() < 1e-5
    assert (upper | lower).all() and 0.4 < upper.float().mean() < 0.6 and centre.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "moons", "modes": 3}, "data.modes means nothing for moons: leave it out"),
        ({"name": "ring", "mean": 1.0}, "data.mean means nothing for ring"),
        ({"name": "gaussian", "sigma": 1.0}, "data.sigma means nothing for gaussian"),
        ({"name": "grid", "modes": 24}, "data.modes=24: a grid needs a square number"),
        ({"name": "ring", "sigma": 0}, "data.sigma=0: the modes of ring need a width"),
    ],
)
def test_settings_that_mean_nothing(options, message):
    with pytest.raises(UserError, match=message):
        Toy(**options)


def test_nothing_held_out():
    split = Toy(count=5, holdout=0).open()
    assert split.heldout is None and split.heldout_note == "none: every point is used for training"
