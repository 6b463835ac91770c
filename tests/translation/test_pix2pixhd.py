"""pix2pixHD: its two phases, its two networks in one, and its losses by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from zerosum.core.game import Progress
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.modalities.images.fields import ImageField, LabelMap
from zerosum.models.translation.pix2pixhd import Pix2PixHD
from zerosum.nets.coarse_to_fine import CoarseToFine, halved

SIDE = 16


def game(**settings) -> Pix2PixHD:
    torch.manual_seed(3)
    given = {
        "width": 2,
        "blocks": 1,
        "halvings": 1,
        "fine_blocks": 1,
        "critic_width": 4,
        "critic_halvings": 1,
        "scales": 2,
        "perceptual": 0.0,
    }
    shapes = {"input_channels": 1, "channels": 3, "size": (SIDE, SIDE)}
    return Pix2PixHD(Pix2PixHD.Config(**{**shapes, **given, **settings}))


def pairs(count: int = 2) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(5)
    return {
        "input": 2 * torch.rand(count, 1, SIDE, SIDE, generator=rng) - 1,
        "image": 2 * torch.rand(count, 3, SIDE, SIDE, generator=rng) - 1,
    }


def test_the_coarse_network_learns_alone_and_then_both():
    made, batch = game(coarse=0.5), pairs()
    made.progress = Progress(1, 49, 100)
    sum(made.generator_loss(batch).values()).backward()  # type: ignore[union-attr]
    fine = [*made.generator.down.parameters(), *made.generator.up.parameters()]
    assert made.is_coarse and all(one.grad is None for one in fine)
    assert all(one.grad is not None for one in made.generator.coarse.parameters())
    made.zero_grad()
    made.progress = Progress(2, 50, 100)
    sum(made.generator_loss(batch).values()).backward()  # type: ignore[union-attr]
    assert not made.is_coarse and all(one.grad is not None for one in fine)


def test_the_fine_network_adds_what_the_coarse_one_has_before_its_last_layer():
    both = CoarseToFine(1, 3, width=2, blocks=1, halvings=1, fine_blocks=1)
    given = pairs()["input"]
    seen: list[torch.Tensor] = []
    last = both.coarse.decoder[-2]
    hook = last.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    both.coarse(halved(given))
    hook.remove()
    wanted = both.up(both.down(given) + seen[0])
    assert torch.allclose(both(given), wanted, atol=1e-6)
    assert both(given).shape == (2, 3, SIDE, SIDE)
    even = torch.full((1, 1, 4, 4), 0.3)
    assert torch.allclose(halved(even), even[:, :, :2, :2])  # the edge is no darker


@pytest.mark.parametrize("coarse", [True, False])
def test_the_losses_are_the_papers(coarse):
    made, batch = game(), pairs()
    made.progress = Progress(0, 0, 100 if coarse else 0)
    x, y = batch["input"], batch["image"]
    if coarse:
        x, y = (F.avg_pool2d(one, 3, 2, 1, count_include_pad=False) for one in (x, y))
    fake = (made.generator.coarse if coarse else made.generator)(x)
    real_layers, fake_layers = (made.discriminator(torch.cat([x, p], 1)) for p in (y, fake))
    critic = sum(
        ((r[-1] - 1).square().mean() + f[-1].square().mean()) / 2
        for r, f in zip(real_layers, fake_layers)
    )
    deceived = sum((f[-1] - 1).square().mean() for f in fake_layers)
    matching = 10 * sum(
        (a - b).abs().mean()
        for r, f in zip(real_layers, fake_layers)
        for a, b in zip(r[:-1], f[:-1])
    )
    found = made.discriminator_loss(batch) | made.generator_loss(batch)
    assert made.discriminator_loss(batch)["adversarial"].item() == pytest.approx(
        critic.item(), rel=1e-4
    )
    assert found["adversarial"].item() == pytest.approx(deceived.item(), rel=1e-4)
    assert found["matching"].item() == pytest.approx(matching.item() / 2, rel=1e-4)


def test_label_maps_come_as_one_map_for_each_class():
    fields = {"input": LabelMap(shape=(8, 8), count=3), "image": ImageField(shape=(3, 8, 8))}
    found = Pix2PixHD.Config(halvings=1).matched(DataSpec(fields))
    assert (found.classes, found.input_channels, found.size) == (3, 3, (8, 8))
    labels = torch.tensor([[[0, 2], [1, 1]]], dtype=torch.uint8)
    hot = game(classes=3, input_channels=3).split(labels)
    assert hot[0, :, 0, 1].tolist() == [0.0, 0.0, 1.0] and hot.sum().item() == 4.0
    with pytest.raises(UserError, match=r"multiples of 32, not 8x8: set data\.size=32x32"):
        Pix2PixHD.Config().matched(DataSpec(fields))
