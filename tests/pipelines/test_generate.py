"""Sampling a saved model from Python: `zerosum.load`, `.sample`, `.interpolate`."""

from __future__ import annotations

import math
from operator import attrgetter

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

import zerosum
from zerosum.errors import UserError
from zerosum.pipelines.arcs import slerp
from zerosum.pipelines.generate import Generator

# -- loading -------------------------------------------------------------------------------


def test_a_run_is_loaded_with_its_averaged_weights(digits):
    generator = zerosum.load(digits, device="cpu")
    assert isinstance(generator, Generator)
    assert not generator.game.training
    assert generator.recipe.system == "dcgan" and generator.recipe.train.examples == 160
    (checkpoint,) = (digits / "checkpoints").iterdir()
    averaged, last = (load_file(checkpoint / f"{name}.safetensors") for name in ("ema", "game"))
    state = generator.game.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in averaged.items())
    assert any(not torch.equal(last[name], tensor) for name, tensor in averaged.items())


def test_a_run_and_its_export_draw_the_same(labelled, exported):
    run, model = zerosum.load(labelled), zerosum.load(str(exported))
    for name, tensor in run.draw(6, seed=4).items():
        assert torch.equal(tensor, model.draw(6, seed=4)[name])
    assert not run.recipe.differences(model.recipe)


def test_a_folder_that_is_neither_is_refused(tmp_path):
    with pytest.raises(UserError, match="is no run"):
        zerosum.load(tmp_path)
    with pytest.raises(UserError, match=r"'cuda:99' is not there.*cpu"):
        zerosum.load(tmp_path, device="cuda:99")


# -- sampling ------------------------------------------------------------------------------


def test_samples_are_pictures_by_default(digits):
    pictures = zerosum.load(digits).sample(3, seed=1)
    assert len(pictures) == 3
    assert all(isinstance(one, Image.Image) for one in pictures)
    assert {(one.size, one.mode) for one in pictures} == {((8, 8), "L")}


def test_tensors_are_in_minus_one_to_one_and_the_pictures_are_made_of_them(digits):
    generator = zerosum.load(digits)
    tensor = generator.sample(5, seed=1, decode=False)
    assert tensor.shape == (5, 1, 8, 8) and tensor.dtype == torch.float32
    assert tensor.min() >= -1 and tensor.max() <= 1
    pixels = np.stack([np.asarray(one) for one in generator.sample(5, seed=1)])
    assert len(np.unique(pixels)) > 3  # no flat picture, which would be right anywhere
    assert np.abs(pixels / 127.5 - 1 - tensor[:, 0].numpy()).max() <= 1 / 255 + 1e-6


def test_points_are_an_array(points):
    generator = zerosum.load(points)
    assert np.array_equal(generator.sample(4), generator.sample(4, decode=False).numpy())
    assert generator.sample(4).shape == (4, 2)


def test_sample_i_of_a_seed_is_the_same_whatever_is_asked_for(digits):
    generator = zerosum.load(digits)
    many = generator.sample(150, seed=3, decode=False)
    for n in (1, 63, 64, 65, 149):
        assert torch.equal(generator.sample(n, seed=3, decode=False), many[:n])


def test_a_seed_repeats_and_another_differs(digits):
    generator = zerosum.load(digits)
    first = generator.sample(4, seed=1, decode=False)
    torch.manual_seed(99)  # what else happens in the process does not matter
    assert torch.equal(first, generator.sample(4, seed=1, decode=False))
    assert not torch.equal(first, generator.sample(4, seed=2, decode=False))


def test_sampling_leaves_the_random_state_and_the_mode_alone(digits):
    generator = zerosum.load(digits)
    before = torch.get_rng_state()
    generator.sample(2)
    generator.interpolate(2, 2)
    assert torch.equal(before, torch.get_rng_state())
    assert not generator.game.training


def test_more_samples_than_one_batch(digits):
    tensor = zerosum.load(digits).sample(300, seed=0, decode=False)
    assert len(tensor) == 300
    assert len(torch.unique(tensor.flatten(1), dim=0)) == 300


@pytest.mark.parametrize("n", [0, -3])
def test_less_than_one_sample_is_refused(digits, n):
    with pytest.raises(UserError, match="at least 1"):
        zerosum.load(digits).sample(n)


# -- conditions ----------------------------------------------------------------------------


def test_labels_may_be_a_number_a_list_or_a_tensor(labelled):
    generator = zerosum.load(labelled)
    one = generator.sample(3, decode=False, label=7)
    assert torch.equal(one, generator.sample(3, decode=False, label=[7, 7, 7]))
    assert torch.equal(one, generator.sample(3, decode=False, label=torch.tensor([7, 7, 7])))
    assert torch.equal(one, generator.sample(3, decode=False, label=torch.tensor(7).byte()))
    assert not torch.equal(one, generator.sample(3, decode=False, label=[7, 7, 1]))


def test_labels_come_back_beside_the_samples(labelled):
    generator = zerosum.load(labelled)
    assert generator.draw(3, label=[0, 9, 4])["label"].tolist() == [0, 9, 4]
    free = generator.draw(400, seed=0)["label"]
    assert set(free.tolist()) == set(range(10))


def test_each_label_goes_to_its_own_sample_beyond_one_batch(labelled):
    generator = zerosum.load(labelled)
    labels = [number % 10 for number in range(270)]
    assert generator.draw(270, label=labels)["label"].tolist() == labels


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (10, "no class 10: label goes from 0 to 9"),
        (-1, "no class -1"),
        ([0, 1], "2 values of 'label' for 3 samples: give 1 or 3"),
        ([], "0 values of 'label'"),
        ("seven", "no class 'seven'"),
        ([0, "one", 2], "no class 'one'"),
        (1.5, r"label=\[1.5\]: labels are whole numbers"),
        ([True, False, True], "whole numbers"),
    ],
)
def test_labels_that_are_none_are_refused(labelled, label, words):
    with pytest.raises(UserError, match=words):
        zerosum.load(labelled).sample(3, label=label)


def test_conditions_that_a_model_does_not_take_are_refused(digits, labelled):
    with pytest.raises(UserError, match="dcgan takes no condition, not 'label'"):
        zerosum.load(digits).sample(1, label=1)
    with pytest.raises(UserError, match="cgan takes label, not 'lable'"):
        zerosum.load(labelled).sample(1, lable=1)


# -- interpolation -------------------------------------------------------------------------


@pytest.mark.parametrize(("stops", "steps"), [(2, 8), (3, 4), (4, 1)])
def test_a_walk_passes_through_the_samples_of_its_codes(digits, stops, steps):
    generator = zerosum.load(digits)
    walk = generator.interpolate(stops, steps, seed=5, decode=False)
    assert len(walk) == (stops - 1) * steps + 1
    codes = generator.sample(stops, seed=5, decode=False)
    torch.testing.assert_close(walk[::steps], codes, rtol=0, atol=1e-6)
    if steps > 1:
        moves = (walk[1:] - walk[:-1]).flatten(1).norm(dim=1)
        assert moves.min() > 0  # it never stands still
        assert moves.max() < (codes[1:] - codes[:-1]).flatten(1).norm(dim=1).sum()


def test_a_walk_is_pictures_by_default(digits):
    walk = zerosum.load(digits).interpolate(2, 3)
    assert len(walk) == 4 and all(isinstance(one, Image.Image) for one in walk)


def test_a_condition_is_held_during_a_walk(labelled):
    generator = zerosum.load(labelled)
    walks = [generator.interpolate(2, 3, decode=False, label=label) for label in (1, 2)]
    assert not torch.equal(*walks)
    game = generator.game
    codes = game.latent(64, torch.Generator().manual_seed(0))[:2]
    with torch.no_grad():
        ends = game.decode(codes, {"label": torch.tensor([1, 1])})["image"]
    torch.testing.assert_close(walks[0][[0, -1]], ends, rtol=0, atol=1e-6)


def test_a_walk_too_short_is_refused(digits):
    generator = zerosum.load(digits)
    for stops, steps in ((1, 8), (2, 0)):
        with pytest.raises(UserError, match="at least 2 stops and 1 step"):
            generator.interpolate(stops, steps)


def test_slerp_keeps_the_length_and_divides_the_angle():
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.nn.functional.normalize(torch.randn(2, 16, generator=rng), dim=1) * 3).double()
    shares = torch.linspace(0, 1, 9, dtype=torch.float64)
    path = slerp(a, b, shares)
    torch.testing.assert_close(path[0], a)
    torch.testing.assert_close(path[-1], b)
    torch.testing.assert_close(path.norm(dim=1), torch.full((9,), 3.0, dtype=torch.float64))
    angle = math.acos(torch.dot(a, b) / 9)
    turned = torch.arccos((path @ a / 9).clamp(-1, 1))
    torch.testing.assert_close(turned[1:], shares[1:] * angle)


def test_slerp_of_parallel_and_opposite_codes_stays_finite():
    shares = torch.linspace(0, 1, 5)
    code = torch.tensor([2.0])
    torch.testing.assert_close(slerp(code, code, shares), torch.full((5, 1), 2.0))
    opposite = slerp(code, -code, shares)  # as every other pair of codes of one number
    torch.testing.assert_close(opposite[:, 0], torch.tensor([2.0, 1.0, 0.0, -1.0, -2.0]))


def test_slerp_keeps_the_shape_of_codes():
    a, b = torch.randn(2, 3, 4, 5)
    assert slerp(a, b, torch.linspace(0, 1, 6)).shape == (6, 3, 4, 5)


# -- the public face -----------------------------------------------------------------------


def test_public_names_exist_and_others_do_not():
    for name in zerosum.__all__:
        assert attrgetter(name)(zerosum) is not None
    assert set(zerosum.__all__) <= set(dir(zerosum))
    with pytest.raises(AttributeError, match="'zerosum' has no attribute 'lode'"):
        zerosum.lode  # noqa: B018
