"""BigGAN against numbers of its authors' release in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from official_files import fixture
from torch import nn
from torch.nn import functional as F

from zerosum.convert import biggan
from zerosum.errors import UserError
from zerosum.layers.power import Conv, Linear, Spectral
from zerosum.losses.objectives import OBJECTIVES
from zerosum.nets.biggan import Discriminator, Generator, truncated
from zerosum.nets.biggan_norm import BatchNorm, Condition, ConditionalNorm, standing

CASE = "biggan_cifar_like_r32"


def close(found, wanted, rtol=1e-4, atol=1e-5):
    """Within the tolerances of the fixtures: absolute ones are shares of the largest number."""
    wanted = torch.as_tensor(wanted, dtype=torch.float32)
    largest = float(wanted.abs().max())
    torch.testing.assert_close(found.detach(), wanted, rtol=rtol, atol=atol * largest)


@pytest.fixture
def case():
    meta, parameters, buffers, arrays = fixture(CASE)
    pair = biggan.networks(meta["kwargs"], parameters | buffers)
    return *pair, *(torch.tensor(arrays[f"in/{name}"]) for name in ("z", "y", "img_real")), arrays


def moved(network, arrays, head):
    """Gradients, their norms and the buffers after a call are those of the release."""
    names, parameters = network.official_names(), dict(network.named_parameters())
    buffers, largest = dict(network.named_buffers()), 0.0
    for kind, found in (("grad", parameters), ("buf_after", buffers), ("gradnorm", parameters)):
        start = f"out/{head}_{kind}/"
        wanted = {key[len(start) :]: arrays[key] for key in arrays.files if key.startswith(start)}
        assert wanted
        largest = max([largest, *(float(np.abs(value).max()) for value in wanted.values())])
        for name, value in wanted.items():
            tensor = found[names[name]]
            if kind == "buf_after":
                close(tensor, value)
                continue
            # Biases before a batch normalisation have no gradient but rounding errors.
            tensor = tensor.grad if kind == "grad" else tensor.grad.norm()
            wanted_value = torch.as_tensor(value, dtype=torch.float32)
            torch.testing.assert_close(tensor, wanted_value, rtol=1e-3, atol=1e-5 * largest)


def test_evaluation(case):
    generator, discriminator, z, y, real, arrays = case
    generator.eval(), discriminator.eval()
    before = {name: b.clone() for name, b in discriminator.named_buffers()}
    close(generator(z, y), arrays["out/img_eval"])
    close(discriminator(real, y), arrays["out/logits_eval"])
    assert all(torch.equal(before[name], b) for name, b in discriminator.named_buffers())


def test_the_discriminators_step(case):
    generator, discriminator, z, y, real, arrays = case
    with torch.no_grad():
        fake = generator(z, y)
    logits = discriminator(torch.cat([fake, real]), torch.cat([y, y]))
    of_fake, of_real = logits.split(4)
    close(of_fake, arrays["out/d_fake"])
    close(of_real, arrays["out/d_real"])
    loss = OBJECTIVES["hinge"].critic(of_real, of_fake)
    close(loss, arrays["out/d_loss_real"] + arrays["out/d_loss_fake"])
    loss.backward()
    moved(discriminator, arrays, "d")


def test_the_generators_step(case):
    generator, discriminator, z, y, _, arrays = case
    fake = discriminator(generator(z, y), y)
    close(fake, arrays["out/g_fake"])
    loss = OBJECTIVES["hinge"].generator(fake)
    close(loss, arrays["out/g_loss"])
    loss.backward()
    moved(generator, arrays, "g")


def test_convolutions_with_doubling_and_halving_are_those_apart():
    torch.manual_seed(0)
    x = torch.randn(2, 4, 8, 6)
    for kernel in (1, 3, 5):
        conv = Conv(4, 6, kernel, Spectral()).eval()
        torch.testing.assert_close(
            conv.after_doubling(x), conv(F.interpolate(x, scale_factor=2)), rtol=1e-4, atol=1e-5
        )
        torch.testing.assert_close(
            conv.before_halving(x), F.avg_pool2d(conv(x), 2), rtol=1e-4, atol=1e-5
        )


def test_several_singular_values():
    """Power iteration with Gram-Schmidt steps finds 5, 3 and 1; the first divides."""
    torch.manual_seed(0)
    layer = Linear(3, 3, Spectral(values=3))
    with torch.no_grad():
        layer.weight.copy_(torch.diag(torch.tensor([3.0, 5.0, 1.0])))
        for _ in range(50):
            layer(torch.zeros(1, 3))
    found = [layer.sv0.item(), layer.sv1.item(), layer.sv2.item()]
    assert found == pytest.approx([5, 3, 1], rel=1e-4)
    torch.testing.assert_close(layer.eval().normal(), layer.weight / 5, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("norm", ["bn", "in", "nonorm", "ch_2", "grp_2"])
def test_each_norm_is_that_of_torch_with_a_gain_around_one(norm):
    torch.manual_seed(0)
    layer, x = ConditionalNorm(4, Condition(3, 0, norm, 1e-5, Spectral())), torch.randn(5, 4, 3, 3)
    plain = {
        "bn": nn.BatchNorm2d(4, affine=False),
        "in": nn.InstanceNorm2d(4),
        "nonorm": nn.Identity(),
    }.get(norm, nn.GroupNorm(2, 4))
    y = torch.tensor([0, 1, 2, 1, 0])
    gain, bias = layer.gain.weight[y], layer.bias.weight[y]
    wanted = plain(x) * (1 + gain)[:, :, None, None] + bias[:, :, None, None]
    torch.testing.assert_close(layer(x, y), wanted)


def test_hierarchical_codes_reach_the_blocks_one_part_each():
    """Seven numbers for three parts of two: the last part moves nothing but the last block."""
    torch.manual_seed(0)
    made = Generator(7, [8, 8, 8], classes=3, shared=5, hierarchical=True).eval()
    assert made.latent == 6 and made.blocks[0][0].bn1.gain.in_features == 5 + 2
    seen = []
    made.blocks[1][0].register_forward_pre_hook(lambda block, given: seen.append(given))
    y, z = torch.tensor([1]), torch.randn(1, 6)
    other = torch.cat([z[:, :4], -z[:, 4:]], dim=1)
    assert not torch.equal(made(z, y), made(other, y))
    (x1, told1), (x2, told2) = seen
    assert torch.equal(x1, x2) and torch.equal(told1[:, :5], told2[:, :5])
    assert torch.equal(told1[:, 5:], z[:, 4:]) and torch.equal(told2[:, 5:], -z[:, 4:])


def test_truncated_codes_are_those_drawn_again():
    """Beyond 1 lie 31.7 % of normal numbers; without them the deviation is 0.5396."""
    z = torch.randn(200_000, generator=torch.Generator().manual_seed(0))
    found = truncated(z, 1.0)
    assert float(found.abs().max()) <= 1.0
    assert float(found.std()) == pytest.approx(0.5396, abs=0.003)
    assert torch.equal(truncated(z, 0), z)
    assert torch.equal(found.argsort()[:100], z.argsort()[:100])


def test_standing_statistics_are_means_over_batches():
    batches = [torch.full((2, 3, 1, 1), float(value)) for value in (1, 2, 6)]
    batches = [x + torch.tensor([0.0, 1.0]).view(2, 1, 1, 1) for x in batches]
    net = nn.Sequential(BatchNorm(3))
    net[0].stored_mean.fill_(99)
    remaining = iter(batches)
    standing(net, lambda: (next(remaining),), 3)
    assert torch.allclose(net[0].stored_mean, torch.full((3,), 3.5))  # (1.5 + 2.5 + 6.5) / 3
    assert torch.allclose(net[0].stored_var, torch.full((3,), 0.5)) and not net.training


def test_the_published_networks_have_as_many_weights_as_the_authors():
    with torch.device("meta"):
        generator = Generator(128, [256] * 4, classes=10, begin="N02")
        halved = [True, True, False, False]
        discriminator = Discriminator([256] * 4, halved, classes=10, begin="N02")
    counts = [sum(p.numel() for p in n.parameters()) for n in (generator, discriminator)]
    assert counts == [4_304_387, 4_207_361]


@pytest.mark.parametrize("settings", [{}, {"hier": True}, {"hier": True, "shared_dim": 6}])
def test_attention_is_where_the_tensors_say(settings):
    """In the release's table for 32 pixels every map of the discriminator is called 16 high."""
    kwargs = {"resolution": 32, "n_classes": 3, "G_ch": 4, "D_ch": 4, "dim_z": 8} | settings
    kwargs |= {"G_attn": "16", "D_attn": "16", "G_lr": 1e-4, "G_shared": True}
    shared = kwargs.get("shared_dim", 8)
    wide = {"classes": 3, "shared": shared, "hierarchical": kwargs.get("hier", False)}
    pair = (
        Generator(8, [16] * 4, attention={1}, **wide),
        Discriminator([16] * 4, [True, True, False, False], classes=3, attention=range(4)),
    )
    named = [("G.", pair[0].state_dict()), ("D.", pair[1].state_dict())]
    state = {who + name: tensor for who, part in named for name, tensor in part.items()}
    found = biggan.networks(kwargs, state)
    y, z, x = torch.tensor([0, 2]), torch.randn(2, 8), torch.randn(2, 3, 32, 32)
    for made, network, given in zip(pair, found, (z, x)):
        assert torch.equal(made.eval()(given, y), network.eval()(given, y))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 48}, "no networks for resolution=48"),
        ({"mybn": True}, "mybn=True here: it must be False"),
        ({"D_activation": "elu"}, "D_activation='elu' here: it must be relu"),
        ({"G_chh": 3}, "has no argument G_chh: did you mean G_ch"),
        ({"hier": True}, "needs G_shared=True"),
        ({"G_ch": 8}, r"linear.weight has shape \(256, 20\), the arguments say \(512, 20\)"),
    ],
)
def test_what_cannot_be_had_is_one_line(change, message):
    meta, parameters, buffers, _ = fixture(CASE)
    with pytest.raises(UserError, match=message) as error:
        biggan.networks(meta["kwargs"] | change, parameters | buffers)
    assert "\n" not in str(error.value)
