"""R3GAN against numbers of its authors' release, and its initialisation against the formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from official_files import fixture
from torch.nn.functional import softplus

from zerosum.convert import r3gan
from zerosum.core.game import Progress
from zerosum.core.registry import recipe
from zerosum.core.schedule import Cosine, at
from zerosum.errors import UserError
from zerosum.losses.penalties import judged
from zerosum.nets.r3gan import GAIN, Discriminator, Generator, Resampling

CASE = "r3gan_cifar_like_cond_r32"


def close(found, wanted, rtol=1e-4, atol=1e-5):
    """Within the tolerances of the fixtures: absolute ones are shares of the largest number."""
    wanted = torch.as_tensor(wanted)
    largest = float(wanted.abs().max())
    torch.testing.assert_close(found.detach(), wanted, rtol=rtol, atol=atol * largest)


@pytest.fixture(scope="module")
def case():
    meta, parameters, buffers, arrays = fixture(CASE)
    pair = r3gan.networks(meta["G"], meta["D"], meta["c_dim"], parameters | buffers)
    given = [torch.tensor(arrays[f"in/{name}"]) for name in ("z", "c", "img_real")]
    return *pair, *given, arrays, meta["gamma"]


def gradients_are(network, arrays, head):
    parameters, names = dict(network.named_parameters()), network.official_names()
    wanted = {key[len(head) :]: arrays[key] for key in arrays.files if key.startswith(head)}
    assert len(wanted) == len(parameters)
    for name, gradient in wanted.items():
        close(parameters[names[name]].grad, gradient, rtol=1e-3)


def test_images_logits_and_the_discriminators_step(case):
    """Loss and penalties of each sample, and the gradient of every parameter through them."""
    generator, discriminator, z, c, real, arrays, gamma = case
    discriminator.zero_grad()
    with torch.no_grad():
        fake = generator(z, c)
    close(fake, arrays["out/img"])
    of_real, r1 = judged(lambda x, scale: discriminator(x, c, scale), real)
    of_fake, r2 = judged(lambda x, scale: discriminator(x, c, scale), fake)
    loss = softplus(of_fake - of_real)
    for found, name in ((of_real, "logits_real"), (of_fake, "logits_fake"), (loss, "d_adv")):
        close(found, arrays[f"out/{name}"])
    close(r1, arrays["out/r1"], rtol=1e-3)
    close(r2, arrays["out/r2"], rtol=1e-3)
    (loss + gamma / 2 * (r1 + r2)).mean().backward()
    gradients_are(discriminator, arrays, "out/d_grad/")


def test_the_generators_step(case):
    generator, discriminator, z, c, real, arrays, _ = case
    generator.zero_grad()
    loss = softplus(discriminator(real, c) - discriminator(generator(z, c), c))
    close(loss, arrays["out/g_adv"])
    loss.mean().backward()
    gradients_are(generator, arrays, "out/g_grad/")


def test_resampling():
    _, _, _, arrays = fixture("r3gan_resamplers")
    x = torch.tensor(arrays["in/x"])
    for name, double in (("up", True), ("down", False)):
        layer = Resampling(3, 3, (1, 2, 1), double=double)
        close(layer(x), arrays[f"out/{name}"])
        close(layer.kernel, arrays["out/kernel"])


def test_a_width_is_changed_where_the_map_is_small():
    """The 1x1 convolution commutes with the filter: both orders give the same maps."""
    torch.manual_seed(0)
    x = torch.randn(2, 4, 8, 8)
    for double in (True, False):
        layer = Resampling(4, 3, (1, 2, 1), double=double)
        other = (
            layer._widened(layer.resampled(x)) if double else layer.resampled(layer._widened(x))
        )
        torch.testing.assert_close(layer(x), other)


def test_the_five_schedules_are_exact():
    meta, _, _, arrays = fixture("r3gan_schedules_cifar10")
    for name, (start, end) in meta["base_final"].items():
        schedule = Cosine(start=start, end=end, until=int(meta["total_nimg"]))
        for seen, wanted in zip(meta["nimg"], arrays[f"out/{name}"]):
            assert at(schedule, Progress(seen=int(seen))) == pytest.approx(wanted, rel=1e-12)


def test_the_preset_has_these_schedules():
    made, (_, _, _, arrays) = recipe("r3gan/cifar10"), fixture("r3gan_schedules_cifar10")
    numbers = {
        "ema": made.ema.half_life,
        "aug": made.remedies[0].strength,
        "lr": made.optim["generator"].lr,
        "beta2": made.optim["discriminator"].betas[1],
        "gamma": made.model.gamma,
    }
    for name, number in numbers.items():
        found = at(number, Progress(seen=5_000_000, total=7))
        assert found == pytest.approx(arrays[f"out/{name}"][3], rel=1e-12)


def test_weights_begin_as_the_formula_says():
    """N(0, gain^2 / fan-in), the gain being He's times L^(-1/4) inside L = 3 blocks; the third
    convolution and the biases 0. Each draw has over 9,000 numbers: 4 % are five deviations."""
    torch.manual_seed(0)
    shape = ([96, 96], [6, 6], [1, 2])
    made = (
        Generator(64, *shape, classes=100, embedding=100),
        Discriminator(*shape, classes=100, embedding=100),
    )
    for network, embedded in zip(made, (1.0, 1 / math.sqrt(100))):
        gain = dict.fromkeys(("expand", "mix"), GAIN * 3**-0.25) | {"embedding": embedded}
        for name, parameter in network.named_parameters():
            last = name.rpartition(".")[2]
            if last in ("contract", "bias1", "bias2"):
                assert not parameter.any()
            elif parameter.numel() > 9_000:
                fan_in = 1 if last == "start" else math.prod(parameter.shape[1:])
                wanted = gain.get(last, 1.0) / math.sqrt(fan_in)
                assert float(parameter.detach().std()) == pytest.approx(wanted, rel=0.04), name


def test_the_published_pair_has_as_many_weights_as_the_authors():
    """Built of shapes alone."""
    widths, cardinalities, blocks = [768] * 4, [96] * 4, [2] * 4
    with torch.device("meta"):
        generator = Generator(64, widths, cardinalities, blocks, classes=10, embedding=64)
        discriminator = Discriminator(widths, cardinalities, blocks, classes=10, embedding=768)
    counts = [sum(p.numel() for p in n.parameters()) for n in (generator, discriminator)]
    assert counts == [20_781_952, 21_280_512]


def test_names_where_the_width_changes():
    """A stage of another width has one convolution more, at the transition."""
    names = Generator(4, [8, 4], [1, 1], [1, 1]).official_names()
    assert (
        names["Model.MainLayers.1.Layers.0.LinearLayer.Layer.weight"] == "stages.1.layers.0.width"
    )
    names = Discriminator([4, 8], [1, 1], [1, 1]).official_names()
    assert (
        names["Model.MainLayers.0.Layers.1.LinearLayer.Layer.weight"] == "stages.0.layers.1.width"
    )


def test_without_classes_a_condition_without_columns_changes_nothing():
    torch.manual_seed(0)
    generator, discriminator = Generator(4, [8], [1], [1]), Discriminator([8], [1], [1])
    z, x, none = torch.randn(3, 4), torch.randn(3, 3, 4, 4), torch.empty(3, 0)
    assert torch.equal(generator(z, none), generator(z))
    assert torch.equal(discriminator(x, none), discriminator(x)) and discriminator(x).shape == (3,)


def tampered(change):
    meta, parameters, buffers, _ = fixture(CASE)
    state, given = dict(parameters | buffers), dict(meta["G"])
    change(given, state)
    return lambda: r3gan.networks(given, meta["D"], 10, state)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g, s: g.update(Width=3), "has no argument Width"),
        (lambda g, s: g.pop("WidthPerStage"), "needs the argument WidthPerStage"),
        (lambda g, s: g.update(img_resolution=64), "img_resolution=64 here: it must be 32"),
        (lambda g, s: s.pop("G.Model.EmbeddingLayer.weight"), "lacks the tensor Model.Embed"),
        (lambda g, s: s.update({"G.Model.More": np.zeros(1)}), "has no tensor Model.More"),
        (
            lambda g, s: s.update({"G.Model.EmbeddingLayer.weight": np.zeros((1, 2))}),
            r"has shape \(1, 2\), the arguments say \(16, 10\)",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(change, message):
    with pytest.raises(UserError, match=message) as error:
        tampered(change)()
    assert "\n" not in str(error.value)
