"""SPADE beside its equations, a step written by hand, and what it refuses."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from zerosum.core.engine import play_step
from zerosum.core.optim import build_optimizers
from zerosum.core.runtime import Runtime
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.layers.spade import SPADE
from zerosum.metrics.sets import Embedded, Sets
from zerosum.modalities.images import referees
from zerosum.modalities.images.extractors.lite0 import available
from zerosum.modalities.images.fields import ImageField, LabelMap
from zerosum.modalities.images.labelled import synthetic_shapes
from zerosum.modalities.images.perceptual import SCALES, PerceptualLayers, perceptual_loss
from zerosum.modalities.images.referees import label_accuracy
from zerosum.models.translation.spade import PAPER, Spade, matched_layers
from zerosum.nets.multiscale import LayeredPatchCritic, MultiScaleCritic, joined
from zerosum.nets.spade import SPADEGenerator, doublings

CLASSES, SIDE = 3, 16


def game(**settings) -> Spade:
    torch.manual_seed(3)
    given = {"width": 2, "hidden": 3, "critic_width": 4, "critic_halvings": 1, "perceptual": 0.0}
    return Spade(
        Spade.Config(classes=CLASSES, channels=3, size=(SIDE, SIDE), **{**given, **settings})
    )


def pairs(count: int = 4) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(5)
    return {
        "input": torch.randint(CLASSES, (count, SIDE, SIDE), generator=rng).to(torch.uint8),
        "image": 2 * torch.rand(count, 3, SIDE, SIDE, generator=rng) - 1,
    }


def test_the_normalisation_in_closed_form():
    """With gain and bias tables by class: (x - mean) / deviation of each map, times 1 + gain[m],
    plus bias[m]. The convolutions are set to read one class at their centre."""
    layer = SPADE(2, CLASSES, hidden=CLASSES, norm="batch").train()
    gains, biases = torch.tensor([[0.5, -2.0, 3.0], [1.0, 0.0, -1.0]]), torch.randn(2, CLASSES)
    with torch.no_grad():
        for convolution in (layer.shared, layer.gain, layer.bias):
            convolution.weight.zero_()
            assert convolution.bias is not None
            convolution.bias.zero_()
        layer.shared.weight[:, :, 1, 1] = torch.eye(CLASSES)
        layer.gain.weight[:, :, 1, 1], layer.bias.weight[:, :, 1, 1] = gains, biases
    x = 3 * torch.randn(4, 2, 4, 4) + 5
    maps = torch.randint(CLASSES, (4, 8, 8))
    found = layer(x, F.one_hot(maps, CLASSES).permute(0, 3, 1, 2).float())
    small = maps[:, ::2, ::2]  # the nearest neighbour of each of 4x4 places
    centred = x - x.mean((0, 2, 3), keepdim=True)
    normal = centred / (centred.square().mean((0, 2, 3), keepdim=True) + 1e-5).sqrt()
    wanted = normal * (1 + gains[:, small].movedim(0, 1)) + biases[:, small].movedim(0, 1)
    assert torch.allclose(found, wanted, atol=1e-5)
    own = SPADE(2, CLASSES, norm="instance").norm(x)
    assert torch.allclose(own.mean((2, 3)), torch.zeros(4, 2), atol=1e-5)
    assert torch.allclose(own.var((2, 3), correction=0), torch.ones(4, 2), atol=1e-4)


def test_a_step_equals_one_written_by_hand():
    ours, batch = game(norm="instance"), pairs()
    theirs = copy.deepcopy(ours)
    optimizers = build_optimizers(PAPER, ours.players())
    log = play_step(ours, iter([batch]), optimizers, Runtime(torch.device("cpu")))

    painter, critic = theirs.generator, theirs.discriminator
    d_moves = torch.optim.Adam(critic.parameters(), lr=4e-4, betas=(0.0, 0.9))
    g_moves = torch.optim.Adam(painter.parameters(), lr=1e-4, betas=(0.0, 0.9))
    hot = F.one_hot(batch["input"].long(), CLASSES).permute(0, 3, 1, 2).float()

    def judged(photos):
        return critic(torch.cat([hot, photos], 1))

    with torch.no_grad():
        fake = painter(hot)
    real_layers, fake_layers = judged(batch["image"]), judged(fake)
    hinge = sum(
        (1 - real[-1]).relu().mean() + (1 + made[-1]).relu().mean()
        for real, made in zip(real_layers, fake_layers)
    )
    critic_loss = hinge / 2  # two scales
    critic_loss.backward()
    d_moves.step()
    fake = painter(hot)
    made = judged(fake)
    with torch.no_grad():
        real = judged(batch["image"])
    deceived = -(made[0][-1].mean() + made[1][-1].mean()) / 2
    layers = [(a, b) for ours, truth in zip(made, real) for a, b in zip(ours[:-1], truth[:-1])]
    matching = 10 * sum((a - b).abs().mean() for a, b in layers) / 2
    painter.zero_grad()
    (deceived + matching).backward()
    g_moves.step()

    assert log["discriminator/adversarial"].item() == pytest.approx(critic_loss.item(), rel=1e-4)
    assert log["generator/adversarial"].item() == pytest.approx(deceived.item(), rel=1e-4)
    assert log["generator/matching"].item() == pytest.approx(matching.item(), rel=1e-4)
    for name, weight in theirs.generator.state_dict().items():
        assert torch.allclose(ours.generator.state_dict()[name], weight, atol=1e-5), name


def test_matching_leaves_out_the_logits_and_averages_over_critics():
    def layers(*values: float) -> list[torch.Tensor]:
        return [torch.full((2, 1, 3, 3), float(value)) for value in values]

    real = [layers(0, 0, 9), layers(0, 0, 9)]
    fake = [layers(1, 2, 0), layers(3, 0, 0)]
    assert matched_layers(real, fake).item() == pytest.approx((1 + 2 + 3) / 2)


def test_a_patch_is_as_large_as_it_is_said_to_be():
    """What a logit of three halvings sees: 70 pixels, by the gradient of one of them."""
    critic = LayeredPatchCritic(1, width=2, halvings=3, spectral=False)
    for layer in critic.layers:
        for part in layer.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.constant_(part.weight, 1.0)
    plain = [part for layer in critic.layers for part in layer.modules()]
    kept = nn.Sequential(*[part for part in plain if isinstance(part, nn.Conv2d)])
    picture = torch.ones(1, 1, 160, 160, requires_grad=True)
    logits = kept(picture)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    assert picture.grad is not None
    rows = picture.grad[0, 0].abs().sum(1).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 70


def test_the_second_critic_sees_half_the_size():
    critic = MultiScaleCritic(1, width=2, halvings=2, scales=2)
    pictures = torch.rand(2, 1, 32, 32)
    found = critic(pictures)
    alone = critic.critics[1](F.avg_pool2d(pictures, 3, 2, 1, count_include_pad=False))
    assert torch.equal(found[1][-1], alone[-1])
    assert joined(found).shape == (2, sum(layers[-1][0].numel() for layers in found))


def test_the_papers_generator_has_the_papers_layers():
    """Appendix A: from 4x4, blocks of 1024, 1024, 1024, 512, 256, 128 and 64 maps."""
    assert doublings((256, 256)) == 6 and doublings((64, 64)) == 4 and doublings((48, 64)) == 3
    painter = SPADEGenerator(2, 3, (256, 256), width=4, hidden=1, latent=8)
    widths = [block.convolutions[1].weight.shape[0] for block in painter.blocks]  # type: ignore
    assert [16 * width for width in widths] == [1024, 1024, 1024, 512, 256, 128, 64]
    assert painter.base == (4, 4)


def test_styles_are_drawn_given_and_read_off_photos():
    styled, batch = game(latent=5).eval(), pairs()
    assert set(styled.conditions()) == {"style"}
    rng = torch.Generator().manual_seed(2)
    made = styled.sample(4, rng=rng, input=batch["input"])
    again = styled.sample(4, input=batch["input"], style=made["style"])
    assert torch.equal(made["image"], again["image"])
    other = styled.sample(4, input=batch["input"], style=made["style"] + 1)
    assert not torch.allclose(made["image"], other["image"])
    assert styled.style_of(batch["image"]).shape == (4, 5)
    with pytest.raises(UserError, match=r"train with model\.latent=256"):
        game().style_of(batch["image"])


def test_the_divergence_is_that_of_two_normal_laws():
    styled, batch = game(latent=5), pairs()
    torch.manual_seed(0)
    term = styled.generator_loss(batch)["divergence"]
    assert styled.encoder is not None
    mean, spread = styled.encoder(batch["image"])
    law = torch.distributions.Normal(mean, (spread / 2).exp())
    unit = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    wanted = 0.05 * torch.distributions.kl_divergence(law, unit).sum(1).mean()
    assert term.item() == pytest.approx(wanted.item(), rel=1e-3)


def test_without_a_game_the_critics_rest():
    alone = game(adversarial=0.0, distance=10.0)
    assert [turn.player for turn in alone.turns()] == ["generator"] and alone.critics() == {}
    batch = pairs()
    alone.eval()
    painted = alone.sample(4, input=batch["input"])["image"]
    terms = alone.generator_loss(batch)
    assert set(terms) == {"l1"}
    wanted = 10 * (painted - batch["image"]).abs().mean()
    assert terms["l1"].item() == pytest.approx(wanted.item(), rel=1e-4)


def test_other_sizes_are_painted_too():
    painter = game(norm="instance").eval()
    maps = torch.zeros(1, 3 * SIDE, 2 * SIDE, dtype=torch.uint8)
    assert painter.generator(painter.split(maps)).shape == (1, 3, 3 * SIDE, 2 * SIDE)
    styled = game(norm="instance", latent=4).eval()
    made = styled.sample(1, input=maps, style=torch.zeros(1, 4))["image"]
    assert made.shape == (1, 3, 3 * SIDE, 2 * SIDE)


def test_it_follows_label_maps_and_refuses_pictures():
    fields = {"input": LabelMap(shape=(8, 8), count=5), "image": ImageField(shape=(3, 8, 8))}
    found = Spade.Config().matched(DataSpec(fields))
    assert (found.classes, found.channels, found.size) == (5, 3, (8, 8))
    pictures = {**fields, "input": ImageField(shape=(3, 8, 8))}
    with pytest.raises(
        UserError, match=r"data\.kind=labelled, or translate pictures with pix2pix"
    ):
        Spade.Config().matched(DataSpec(pictures))
    with pytest.raises(UserError, match=r"model\.classes=4 but the data have 5"):
        Spade.Config(classes=4).matched(DataSpec(fields))
    with pytest.raises(UserError, match=r"sides that are multiples of 16, not 8x8"):
        Spade.Config(halvings=4).matched(DataSpec(fields))
    with pytest.raises(UserError, match="give as many"):
        game().sample(2, input=torch.zeros(3, SIDE, SIDE, dtype=torch.uint8))


def test_label_accuracy_tells_right_photos_from_wrong_ones(monkeypatch):
    """Photos of the right maps score near the ceiling, those of other maps near chance, and
    photos of one colour at the share of its class."""
    maps, photos = synthetic_shapes(96, seed=1)
    monkeypatch.setattr(referees, "STEPS", 120)
    labels = torch.from_numpy(maps)
    pictures = torch.from_numpy(photos).permute(0, 3, 1, 2).float() / 127.5 - 1
    train = {"input": labels[:64], "image": pictures[:64]}
    truth = {"input": labels[64:], "image": pictures[64:]}

    def scores(fake: torch.Tensor) -> dict[str, float]:
        rows = torch.zeros(len(fake), 1)
        told = Embedded(rows, None, {**truth, "image": fake})
        sets = Sets(Embedded(rows, None, train), told, None, 0, Embedded(rows, None, truth))
        return {name: float(score) for name, score, _ in label_accuracy(sets)}

    right = scores(pictures[64:])
    assert right["label-accuracy"] == right["label-accuracy-real"]
    assert right["label-accuracy"] > 0.97
    ground = torch.tensor([90, 120, 70]).view(1, 3, 1, 1).expand(32, 3, 32, 32) / 127.5 - 1
    share = float((truth["input"] == 0).float().mean())
    assert scores(ground)["label-accuracy"] == pytest.approx(share, abs=0.03)
    assert scores(pictures[64:].flip(0))["label-accuracy"] < 0.7
    assert np.isclose(scores(ground)["label-accuracy-real"], right["label-accuracy-real"])


def test_layers_are_compared_as_shares_of_their_size():
    """Doubled layers are 1 apart each, whatever their size: 1/32 + 1/16 + 1/8 + 1/4 + 1."""
    wanted = [torch.full((1, 2, 3, 3), 10.0**size) for size in range(5)]
    seen = [2 * layer for layer in wanted]
    assert perceptual_loss(seen, wanted, SCALES).item() == pytest.approx(47 / 32)
    assert perceptual_loss(wanted, wanted, SCALES).item() == 0.0


@pytest.mark.skipif(not available(), reason="the weights of EfficientNet-Lite0 are not here")
def test_the_classifiers_layers_have_five_scales_and_pass_gradients():
    network = PerceptualLayers().eval().requires_grad_(False)
    pictures = torch.zeros(1, 3, 64, 64, requires_grad=True)
    layers = network(pictures)
    assert [tuple(one.shape[1:]) for one in layers] == [
        (16, 32, 32),
        (24, 16, 16),
        (40, 8, 8),
        (112, 4, 4),
        (320, 2, 2),
    ]
    torch.stack([one.abs().mean() for one in layers]).sum().backward()
    assert pictures.grad is not None and bool((pictures.grad != 0).any())
