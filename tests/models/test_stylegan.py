"""What is particular to stylegan: styles at each level, AdaIN, growth, mixing."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from zerosum.core.draw import codes, draw
from zerosum.core.game import Progress
from zerosum.models.images.stylegan import StyleGAN
from zerosum.nets.growing import Critic
from zerosum.nets.stylegan import Styled


def game(**settings: object) -> StyleGAN:
    torch.manual_seed(0)
    small = {"latent": 4, "style": 6, "layers": 2, "width": 4, "channels": 1, "size": (16, 16)}
    return StyleGAN(StyleGAN.Config(**{**small, **settings}))  # pyright: ignore


def test_a_style_is_all_that_is_left_of_a_maps_statistics():
    """AdaIN: mean and deviation of each map are the style's, whatever came in."""
    layer = Styled(3, 5, (8, 8))
    style = torch.randn(2, 5)
    out = layer(10 + 4 * torch.randn(2, 3, 8, 8), style, "none")
    gain, bias = layer.style(style).chunk(2, dim=1)
    torch.testing.assert_close(out.mean((2, 3)), bias, rtol=0, atol=1e-5)
    deviation = out.var((2, 3), unbiased=False).sqrt()
    torch.testing.assert_close(deviation, (1 + gain).abs(), rtol=1e-4, atol=1e-5)


def test_noise_has_a_strength_per_map_and_is_kept_or_new():
    layer = Styled(2, 5, (8, 8))
    with torch.no_grad():
        layer.strength.copy_(torch.tensor([0.0, 1.0]).view(2, 1, 1))
    x, style = torch.randn(1, 2, 8, 8), torch.zeros(1, 5)
    none, kept, again = (layer(x, style, kind) for kind in ("none", "const", "const"))
    new = layer(x, style, "random")
    torch.testing.assert_close(kept, again, rtol=0, atol=0)
    torch.testing.assert_close(kept[:, 0], none[:, 0])
    wanted = F.instance_norm(F.leaky_relu(x + layer.strength * layer.noise, 0.2))
    torch.testing.assert_close(kept, wanted, rtol=1e-4, atol=1e-5)  # another epsilon
    assert not torch.allclose(new[:, 1], kept[:, 1])
    torch.testing.assert_close(new[:, 0], none[:, 0])


@pytest.mark.parametrize(("seen", "level"), [(0, 0.0), (15, 0.5), (25, 1.0), (35, 1.5), (60, 2.0)])
def test_it_grows_by_the_clock_and_mixes_only_the_styles_in_use(seen: int, level: float):
    system = game(mixing=1.0, growing=0.4)
    system.progress = Progress(0, seen, 100)
    assert system.grow() == level
    side = 4 * 2 ** (-int(-level // 1))
    assert system.synthesis.used == {4: 2, 8: 4, 16: 6}[side]
    assert system.fakes(2).shape == (2, 1, side, side)
    assert system.sample(2)["image"].shape == (2, 1, 16, 16)
    told = system.to_styles(torch.randn(1, 4), {}).requires_grad_()
    (slope,) = torch.autograd.grad(system.synthesis(told).sum(), told)
    used = slope.abs().sum((0, 2)) > 0
    assert not used[system.synthesis.used :].any()


def test_halfway_a_level_is_half_of_each():
    system = game().eval()
    z = torch.randn(2, 4)
    styles = system.to_styles(z, {})
    made = {}
    for level in (0.0, 0.5, 1.0):
        system.synthesis.grow(level)
        made[level] = system.synthesis(styles)
    wide = F.interpolate(made[0.0], scale_factor=2.0)
    torch.testing.assert_close(made[0.5], 0.5 * wide + 0.5 * made[1.0])


def test_the_critic_filters_before_it_halves():
    """A checkerboard of single pixels passes no [1, 2, 1] filter."""
    torch.manual_seed(0)
    plain = Critic(1, (4, 4), [8, 8], 1)
    soft = Critic(1, (4, 4), [8, 8], 1, (1.0, 2.0, 1.0))
    soft.load_state_dict(plain.state_dict())
    images = torch.randn(2, 1, 8, 8)
    found = soft(images, 1.0)
    x = F.leaky_relu(soft.colours[1](images), 0.2)
    first, second = soft.blocks[0]  # pyright: ignore
    x = F.leaky_relu(first(x), 0.2)
    square = torch.tensor([1.0, 2, 1]).outer(torch.tensor([1.0, 2, 1])) / 16
    x = F.conv2d(x, square.expand(8, 1, 3, 3), padding=1, groups=8)
    x = F.avg_pool2d(F.leaky_relu(second(x), 0.2), 2)
    x = F.leaky_relu(soft.conv(soft.stddev(x)), 0.2)
    wanted = soft.score(F.leaky_relu(soft.dense(x), 0.2).flatten(1)).squeeze(1)
    torch.testing.assert_close(found, wanted)
    assert not torch.allclose(found, plain(images, 1.0))


def test_truncation_and_the_mean_style():
    system = game().eval()
    system.mapping.average.normal_()
    z = codes(system, 2, 0)
    own, mean = system.to_styles(z, {}), system.mean_style()
    half = own.clone()
    half[:, :2] = 0.5 * (half[:, :2] + mean)
    found = draw(system, 2, 0, options=StyleGAN.Options(truncation=0.5, cutoff=2))["image"]
    torch.testing.assert_close(found, system.of_styles(half, {})["image"])
    system.after_step(Progress())
    torch.testing.assert_close(system.mean_style(), mean)  # nothing was played


def test_a_stored_level_is_that_of_the_game_that_loads_it():
    first, second = game(), game()
    first.synthesis.grow(0.5)
    second.load_state_dict(first.state_dict())
    assert (second.synthesis.now, second.synthesis.used) == (0.5, 4)
    z = torch.randn(2, 4)
    torch.testing.assert_close(first.decode(z, {})["image"], second.decode(z, {})["image"])
