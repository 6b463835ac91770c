"""Residual networks: sizes, heads, conditions, attention, and the paper's own layers."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import avg_pool2d

from zerosum.errors import UserError
from zerosum.layers.norm import layer_norm
from zerosum.losses import gradient_norms
from zerosum.nets.resnet import DownBlock, Generator, Projection, Score, Trunk, UpBlock


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("size", [(8, 8), (28, 28), (32, 32), (16, 24)])
def test_pairs_of_any_size_that_doubles_a_small_grid(size):
    generator, trunk = Generator(5, 4, 3, size), Trunk(4, 3, size)
    images = generator(torch.randn(2, 5))
    assert images.shape == (2, 3, *size)
    assert images.abs().max() <= 1
    assert trunk(images).shape == (2, trunk.features)


def test_blocks_are_the_identity_plus_a_residual():
    """With zero residual convolutions only the shortcut is left."""
    down = DownBlock(3, 3, None, halve=False)
    torch.nn.init.zeros_(down.conv2.weight)
    x = torch.randn(2, 3, 4, 4)
    assert torch.equal(down(x), x)
    halve = DownBlock(3, 5, None, halve=True)
    torch.nn.init.zeros_(halve.conv2.weight)
    assert torch.allclose(halve(x), avg_pool2d(halve.shortcut(x), 2), atol=1e-6)
    up = UpBlock(3, 5, torch.nn.BatchNorm2d)
    torch.nn.init.zeros_(up.conv2.weight)
    doubled = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.allclose(up(x), up.shortcut(doubled), atol=1e-6)


def test_blocks_leave_their_input_alone():
    """An activation in place would spoil the shortcut."""
    x = torch.randn(2, 3, 4, 4)
    kept = x.clone()
    DownBlock(3, 3, None, halve=False)(x)
    UpBlock(3, 3, torch.nn.BatchNorm2d)(x)
    assert torch.equal(x, kept)


def test_the_discriminator_of_the_cifar_table():
    """SNGAN's table for 32x32: four blocks of 128 maps, two of them halve."""
    trunk = Trunk(128, 3, (32, 32), growth=1, halvings=2, flat=2)
    assert [block.halve for block in trunk.blocks] == [True, True, False, False]
    assert {block.conv2.out_channels for block in trunk.blocks} == {128}
    assert trunk.features == 128


def test_sum_and_mean_over_places():
    trunk = Trunk(4, 1, (8, 8), flat=0)
    x = torch.randn(2, 1, 8, 8)
    total = trunk(x)
    trunk.pool = "mean"
    assert torch.allclose(total, 16 * trunk(x), rtol=1e-5)


def test_layer_norm_keeps_samples_apart_and_can_be_penalised():
    trunk = Trunk(4, 1, (8, 8), norm=layer_norm, flat=1)
    x = torch.randn(3, 1, 8, 8)
    assert torch.allclose(trunk(x)[:1], trunk(x[:1]), atol=1e-5)
    norms = gradient_norms(trunk, x)
    norms.sum().backward()  # twice differentiable
    for norm, sample in zip(norms, x.split(1)):
        sample.requires_grad_()
        (slope,) = torch.autograd.grad(trunk(sample).sum(), sample)
        torch.testing.assert_close(norm, slope.norm(), rtol=1e-4, atol=1e-6)


def test_labels_reach_the_image():
    generator = Generator(5, 4, 1, (8, 8), classes=3)
    z, one, two = torch.randn(4, 5), torch.zeros(4).long(), torch.ones(4).long()
    assert torch.allclose(generator(z, one), generator(z, two), atol=1e-6)  # until it learns
    generator.blocks[0].norm1.bias_table.data[1] = 3.0
    assert (generator(z, one) - generator(z, two)).abs().max() > 0.01


def test_projection_is_an_inner_product_plus_a_score():
    head = Projection(6, 3)
    features, label = torch.randn(4, 6), torch.tensor([2, 0, 1, 2])
    expected = torch.stack([features[i] @ head.table.weight[label[i]] for i in range(4)])
    assert torch.allclose(head(features, label), expected + head.score(features), atol=1e-6)
    assert Score(6)(features).shape == (4,)


@pytest.mark.parametrize("height", [4, 8, 16])
def test_attention_sits_where_it_is_asked_for(height):
    generator, seen = Generator(5, 4, 1, (16, 16), attention=height), []
    generator.attention.register_forward_hook(lambda m, x, y: seen.append(x[0].shape[2]))
    generator(torch.randn(2, 5))
    assert seen == [height]
    if height < 16:
        trunk = Trunk(4, 1, (16, 16), attention=height)
        trunk.attention.register_forward_hook(lambda m, x, y: seen.append(x[0].shape[2]))
        trunk(torch.randn(2, 1, 16, 16))
        assert seen == [height, height]


def test_refusals_say_what_fits():
    with pytest.raises(UserError, match="maps are 4, 8 high"):
        Generator(5, 4, 1, (8, 8), attention=16)
    with pytest.raises(UserError, match="maps are 4 high"):
        Trunk(4, 1, (8, 8), attention=8)
    with pytest.raises(UserError, match="halved 1 times at most"):
        Trunk(4, 1, (8, 8), halvings=2)
