"""The deeper pair of BigGAN, written a second time from the paper's appendix B.2, and counted."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from zerosum.convert import biggan
from zerosum.errors import UserError
from zerosum.layers.power import Spectral
from zerosum.nets.biggan import generator_multiples
from zerosum.nets.biggan_deep import (
    DeepDiscriminator,
    DeepGenerator,
    deep_discriminator_multiples,
)

PLAIN = Spectral(values=0)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def conv(x, state, name):
    weight = state[f"{name}.weight"]
    return F.conv2d(x, weight, state[f"{name}.bias"], padding=weight.shape[2] // 2)


def normalised(x, gain, bias):
    mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, unbiased=False)
    return (x - mean) / (var + 1e-5).sqrt() * gain[..., None, None] + bias[..., None, None]


def doubled(x):
    return x.repeat_interleave(2, 2).repeat_interleave(2, 3)


def halved(x):
    return (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4


def slow_generator(state, z, y, widths, depth):
    told = torch.cat([state["shared.weight"][y], z], 1)
    x = (told @ state["linear.weight"].T + state["linear.bias"]).unflatten(1, (-1, 4, 4))
    for i, after in enumerate(widths[1:]):
        for j in range(depth):
            last, h = j == depth - 1, x
            for k in (1, 2, 3, 4):
                name = f"blocks.{i}.{j}.bn{k}"
                gain = 1 + told @ state[f"{name}.gain.weight"].T
                h = F.relu(normalised(h, gain, told @ state[f"{name}.bias.weight"].T))
                h = doubled(h) if k == 2 and last else h
                h = conv(h, state, f"blocks.{i}.{j}.conv{k}")
            x = h + (doubled(x)[:, :after] if last else x)
    x = normalised(x, state["output_layer.0.gain"], state["output_layer.0.bias"])
    return torch.tanh(conv(F.relu(x), state, "output_layer.2"))


def slow_discriminator(state, x, y, halvings, depth):
    x = conv(x, state, "input_conv")
    for i, halve in enumerate(halvings):
        for j in range(depth):
            block, h = f"blocks.{i}.{j}", x
            for k in (1, 2, 3):
                h = conv(F.relu(h), state, f"{block}.conv{k}")
            h = F.relu(h)
            if halve and j == 0:
                h, x = halved(h), halved(x)
            h = conv(h, state, f"{block}.conv4")
            if f"{block}.conv_sc.weight" in state:
                x = torch.cat([x, conv(x, state, f"{block}.conv_sc")], 1)
            x = h + x
    h = F.relu(x).sum((2, 3))
    linear = h @ state["linear.weight"].T + state["linear.bias"]
    return linear + (state["embed.weight"][y] * h).sum(1, keepdim=True)


def same(network, slow, *given):
    """The same numbers and the same gradient of each parameter."""
    state = dict(network.named_parameters())
    wanted, found = slow(state), network(*given)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    mix = torch.randn_like(found)
    names, values = list(state), list(state.values())
    first = torch.autograd.grad((found * mix).sum(), values, retain_graph=True)
    second = torch.autograd.grad((wanted * mix).sum(), values)
    largest = max(float(one.abs().max()) for one in second)
    for name, one, two in zip(names, first, second):
        torch.testing.assert_close(
            one, two, rtol=1e-3, atol=1e-5 * largest, msg=lambda text, name=name: f"{name}: {text}"
        )


@pytest.mark.parametrize("depth", [1, 2])
def test_generator_is_that_of_the_paper(depth):
    widths, y = [16, 16, 8], torch.tensor([0, 2, 1])
    network = DeepGenerator(5, widths, 3, classes=3, shared=4, depth=depth, spectral=PLAIN)
    z = torch.randn(3, 5)
    same(network, lambda state: slow_generator(state, z, y, widths, depth), z, y)


@pytest.mark.parametrize("depth", [1, 2])
def test_discriminator_is_that_of_the_paper(depth):
    halvings, y = [True, True, False], torch.tensor([0, 2, 1])
    network = DeepDiscriminator(
        [4, 8, 16, 16], halvings, 3, classes=3, depth=depth, spectral=PLAIN
    )
    x = torch.randn(3, 3, 16, 16)
    same(network, lambda state: slow_discriminator(state, x, y, halvings, depth), x, y)


def bottleneck(before, after, hidden):
    """Weights and biases of 1x1, 3x3, 3x3 and 1x1."""
    inner = 2 * (9 * hidden**2 + hidden)
    return (before + 1) * hidden + inner + (hidden + 1) * after


def test_parameters_at_128_pixels_are_those_of_the_tables():
    """Appendix B.2 with 128 features: counted block by block."""
    told, classes, c = 128 + 128, 1000, 128
    widths = [16 * c, 16 * c, 8 * c, 4 * c, 2 * c, c]
    wanted = classes * 128 + (told + 1) * widths[0] * 16
    for before, after in pairwise(widths):
        for out in (before, after):
            hidden = before // 4
            wanted += bottleneck(before, out, hidden) + 2 * told * (before + 3 * hidden)
    wanted += 2 * c + 27 * c + 3
    with torch.device("meta"):
        network = DeepGenerator(
            128, [c * n for n in generator_multiples(5)], classes=classes, shared=128, begin="N02"
        )
    assert sum(p.numel() for p in network.parameters()) == wanted

    multiples, halvings = deep_discriminator_multiples(5)
    assert (multiples, halvings) == ([1, 2, 4, 8, 16, 16], [True] * 5)
    wanted = 27 * c + c + 16 * c + 1 + classes * 16 * c
    for before, after in pairwise(multiples):
        before, after = before * c, after * c
        wanted += bottleneck(before, after, after // 4) + bottleneck(after, after, after // 4)
        wanted += (before + 1) * (after - before)
    with torch.device("meta"):
        network = DeepDiscriminator(
            [c * n for n in multiples], halvings, classes=classes, begin="N02"
        )
    assert sum(p.numel() for p in network.parameters()) == wanted


def test_256_pixels_have_one_resolution_more():
    assert deep_discriminator_multiples(6) == ([1, 2, 4, 8, 8, 16, 16], [True] * 6)
    assert deep_discriminator_multiples(4) == ([1, 2, 4, 8, 16], [True] * 4)
    assert deep_discriminator_multiples(3) == ([4] * 4, [True, True, False])


def test_every_weight_is_normalised_by_default():
    """Weights a hundred times as large change no logit."""
    network = DeepDiscriminator([4, 8], [True], 3, classes=3)
    network.eval()
    x, y = torch.randn(2, 3, 8, 8), torch.tensor([0, 2])
    before = network(x, y)
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("weight"):
                value.mul_(100)
    torch.testing.assert_close(network(x, y), before, rtol=1e-4, atol=1e-5)
    assert network.official_names().keys() == {
        *dict(network.named_parameters()),
        *dict(network.named_buffers()),
    }


def test_official_arguments_and_names_give_the_pair():
    """Written under the release's names, prefixes and all, with attention at the end of a
    resolution, and taken back: the same images and logits."""
    made = {"attention": {0}, "classes": 3, "spectral": Spectral(eps=1e-6)}
    pair = (
        DeepGenerator(6, [8] * 4, shared=4, **made),
        DeepDiscriminator([8] * 4, [True, True, False], depth=1, **made),
    )
    state = {f"G.{name}": value for name, value in pair[0].state_dict().items()}
    state |= {f"D.{name}": value for name, value in pair[1].state_dict().items()}
    assert "G.blocks.0.2.theta.weight" in state and "D.blocks.0.1.gamma" in state
    kwargs = {"resolution": 32, "n_classes": 3, "G_ch": 2, "D_ch": 2, "D_depth": 1, "dim_z": 6}
    kwargs |= {"shared_dim": 4, "hier": True, "G_shared": True, "SN_eps": 1e-6, "D_attn": "16"}
    z, y = torch.randn(3, 6), torch.tensor([0, 2, 1])
    found = biggan.networks(kwargs, state)
    for network in (*pair, *found):
        network.eval()
    images = pair[0](z, y)
    assert torch.equal(found[0](z, y), images)
    assert torch.equal(found[1](images, y), pair[1](images, y))
    with pytest.raises(UserError, match="BigGAN cannot have hier=False here: it must be True"):
        biggan.networks({**kwargs, "hier": False}, state)
