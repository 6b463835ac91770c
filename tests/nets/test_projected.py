"""The generator of FastGAN and the discriminator of projected GANs, against plain arithmetic."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from zerosum.layers.spectral import spectral_value
from zerosum.nets.fastgan import Excitation, Gated, Generator, Noise
from zerosum.nets.projected import (
    LITE0,
    STRIDES,
    Discriminator,
    Mixing,
    RandomPyramid,
    ScaleCritic,
    kaiming,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (64, 64), (16, 24)])
def test_images_of_any_size_that_doubles_a_small_grid(size):
    images = Generator(5, 1, 3, size)(torch.randn(2, 5))
    assert images.shape == (2, 3, *size)
    assert images.abs().max() <= 1


def test_the_paper_s_networks_at_256_pixels():
    """Feature maps of 4 to 256 pixels, excitations from 4 to 64, 8 to 128 and 16 to 256, and two
    noisy convolutions in every second block."""
    with torch.device("meta"):
        generator = Generator(256, 128, 3, (256, 256))
    assert generator.start.weight.shape == (256, 2 * 2048, 4, 4)
    found = [block.first.conv.weight.shape[0] // 2 for block in generator.blocks]
    assert found == [1024, 512, 256, 256, 128, 64]
    pairs = [layer.factors[1].weight.shape[:2] for layer in generator.excitations]
    assert pairs == [(256, 2048), (128, 1024), (64, 512)]
    noisy = [isinstance(block.second, Gated) for block in generator.blocks]
    assert noisy == [True, False, True, False, True, False]


def test_small_images_are_excited_from_the_first_map_to_the_last():
    generator = Generator(5, 1, 1, (32, 32))
    assert [layer.factors[1].weight.shape[:2] for layer in generator.excitations] == [(4, 16)]
    for layer in generator.excitations:
        torch.nn.init.zeros_(layer.factors[3].weight)  # the factor is then 1/2 everywhere
    generator.eval()
    z = torch.randn(2, 5)
    x = F.glu(generator.norm(generator.start(z[:, :, None, None])), dim=1)
    for block in generator.blocks:
        x = block(x)
    torch.testing.assert_close(generator(z), torch.tanh(generator.last(x / 2)))


def test_a_gate_is_half_of_the_maps_by_the_sigmoid_of_the_others():
    layer, x = Gated(3, 2), torch.randn(4, 3, 5, 5)
    h = F.conv2d(x, layer.conv.weight, padding=1)
    mean, var = h.mean((0, 2, 3), keepdim=True), h.var((0, 2, 3), keepdim=True, unbiased=False)
    h = (h - mean) / (var + 1e-5).sqrt()
    torch.testing.assert_close(layer(x), h[:, :2] * torch.sigmoid(h[:, 2:]), rtol=1e-4, atol=1e-5)


def test_excitation_multiplies_each_feature_by_one_number_of_the_small_map():
    layer = Excitation(3, 2)
    small, large = torch.randn(2, 3, 8, 8), torch.randn(2, 2, 16, 16)
    pooled = small.unflatten(2, (4, 2)).unflatten(4, (4, 2)).mean((3, 5))
    hidden = torch.einsum("bchw,ochw->bo", pooled, layer.factors[1].weight)
    hidden = torch.where(hidden > 0, hidden, 0.1 * hidden)
    factor = torch.sigmoid(hidden @ layer.factors[3].weight.flatten(1).T)
    wanted = large * factor[:, :, None, None]
    torch.testing.assert_close(layer(small, large), wanted, rtol=1e-4, atol=1e-6)


def test_noise_is_new_in_training_and_kept_otherwise():
    layer, x = Noise((4, 6)), torch.randn(3, 2, 4, 6)
    assert torch.equal(layer(x), x)  # it begins at 0
    torch.nn.init.constant_(layer.strength, 0.5)
    torch.manual_seed(3)
    found = layer(x)
    torch.manual_seed(3)
    assert torch.equal(found, x + 0.5 * torch.randn(3, 1, 4, 6))
    layer.eval()
    assert torch.equal(layer(x), x + 0.5 * layer.kept)


def test_mixing_goes_from_coarse_to_fine():
    """Written a second time with sums over channels and places. The finest scale hears of all."""
    widths = (2, 3, 4)
    mixing = Mixing(widths)
    maps = [torch.randn(2, width, side, side) for width, side in zip(widths, (8, 4, 2))]
    weights = dict(mixing.named_buffers())
    wanted: list[torch.Tensor] = []
    for number in (2, 1, 0):
        own = torch.einsum("bchw,oc->bohw", maps[number], weights[f"channels{number}"][:, :, 0, 0])
        if wanted:
            double = F.interpolate(wanted[-1], scale_factor=2, mode="bilinear")
            columns = F.unfold(double, 3, padding=1)
            rows = weights[f"scales{number}"].flatten(1) @ columns
            own = own + rows.unflatten(2, own.shape[2:])
        wanted.append(own)
    for found, expected in zip(mixing(maps), wanted[::-1]):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_random_weights_keep_the_mean_square():
    """Of 12,800 random weights it is off by a standard deviation of 1.3 per cent."""
    x = torch.randn(4, 320, 18, 18)
    for kernel, gain in ((3, 1.0), (1, 2.0)):
        out = F.conv2d(x, kaiming(40, 320, kernel, gain=gain))
        assert float(out.square().mean()) == pytest.approx(gain, rel=0.05)


def test_nothing_of_the_projection_is_trained_and_all_of_it_is_stored():
    network = Discriminator(RandomPyramid(), seen=32, width=2)
    trained = {name for name, _ in network.named_parameters()}
    assert all(name.startswith("critics.") for name in trained)
    stored = set(network.state_dict())
    assert {f"features.weight{i}" for i in range(5)} <= stored
    assert {f"mixing.channels{i}" for i in range(4)} <= stored
    assert {f"mixing.scales{i}" for i in range(3)} <= stored
    x, other = torch.randn(2, 3, 16, 16), Discriminator(RandomPyramid(), seen=32, width=2)
    network.eval(), other.eval()
    assert not torch.equal(network(x)[0], other(x)[0])
    other.load_state_dict(network.state_dict())
    for one, two in zip(network(x), other(x)):
        assert torch.equal(one, two)


def test_the_pyramid_has_the_strides_and_widths_of_the_classifier():
    found = RandomPyramid()(torch.rand(2, 1, 40, 64))
    shapes = [(2, width, -(-40 // s), -(-64 // s)) for width, s in zip(LITE0, STRIDES)]
    assert [tuple(maps.shape) for maps in found] == shapes


def test_logits_of_all_scales_have_one_resolution():
    """At 224 pixels the maps are 56, 28, 14 and 7 high: halved 3, 2, 1 and 0 times."""
    for halvings, side in enumerate((7, 14, 28, 56)):
        critic = ScaleCritic(5, side, 4, 32)
        convolutions = [m for m in critic if isinstance(m, torch.nn.Conv2d)]
        assert [m.stride[0] for m in convolutions] == [1, *[2] * halvings, 1]
        assert critic(torch.randn(2, 5, side, side)).shape == (2, 1, 7, 7)
        assert [m.out_channels for m in convolutions[:-1]] == [4, 8, 16, 32][: halvings + 1]


def test_critics_weights_are_normalised_spectrally():
    critic = ScaleCritic(5, 16, 4, 32)
    critic.eval()
    for module in critic:
        if isinstance(module, torch.nn.Conv2d):
            assert float(spectral_value(module.weight.detach())) == pytest.approx(1.0, abs=0.05)


def test_images_are_seen_in_their_proportions():
    network = Discriminator(RandomPyramid(), seen=32, width=2)
    assert network.shown(torch.zeros(1, 3, 16, 24)).shape == (1, 3, 32, 48)
    same = torch.randn(1, 3, 32, 48)
    assert network.shown(same) is same
    # Shrunk by an average over what a pixel covers, so that a fine chequerboard becomes grey.
    rows, columns = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    board = ((rows + columns) % 2 * 2 - 1.0)[None, None]
    assert float(network.shown(board)[..., 4:-4, 4:-4].abs().max()) == pytest.approx(0, abs=1e-5)
