"""StarGAN v2: its layers in closed form, its losses by hand, and styles from references."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import zerosum
from zerosum.core.game import Progress
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.modalities.images.domains import Domains
from zerosum.models.translation.starganv2 import NOISE, StarGANv2
from zerosum.nets.starganv2 import AdaIN, DomainHeads, MappingNetwork, PlainBlock, chosen
from zerosum.pipelines.restyle import Restyler

DOMAINS, SIDE = 3, 16


def game(**settings) -> StarGANv2:
    torch.manual_seed(3)
    given = {"latent": 4, "style": 4, "width": 4, "halvings": 1, "flat": 1, "mapping_width": 8}
    config = StarGANv2.Config(domains=DOMAINS, channels=1, size=(SIDE, SIDE))
    return StarGANv2(config.model_copy(update={**given, **settings}))


def pictures(count: int = 4) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(5)
    drawn = 2 * torch.rand(3, count, 1, SIDE, SIDE, generator=rng) - 1
    labels = torch.randint(DOMAINS, (2, count), generator=rng)
    return {
        "input": drawn[0],
        "origin": labels[0],
        "image": drawn[1],
        "reference": drawn[2],
        "domain": labels[1],
    }


def test_adain_gives_maps_the_styles_mean_and_deviation():
    layer = AdaIN(2, 3)
    x, style = 5 * torch.randn(4, 2, 8, 8) + 1, torch.randn(4, 3)
    found = layer(x, style)
    gain, bias = layer.told(style).chunk(2, 1)
    assert torch.allclose(found.mean((2, 3)), bias, atol=1e-4)
    deviation = found.std((2, 3), correction=0)
    assert torch.allclose(deviation, (1 + gain).abs(), atol=1e-3)


def test_a_block_without_its_convolutions_is_its_shortcut_over_root_two():
    block = PlainBlock(2, 2, halve=True)
    torch.nn.init.zeros_(block.second.weight)
    assert block.second.bias is not None
    torch.nn.init.zeros_(block.second.bias)
    x = torch.randn(1, 2, 8, 8)
    assert torch.allclose(block(x), F.avg_pool2d(x, 2) / math.sqrt(2), atol=1e-6)


def test_heads_answer_for_their_own_domain():
    answers = torch.arange(12).view(2, 3, 2)
    assert chosen(answers, torch.tensor([2, 0])).tolist() == [[4, 5], [6, 7]]
    mapping = MappingNetwork(4, 5, DOMAINS, width=6)
    noise = torch.randn(3, 4)
    together = mapping(noise, torch.tensor([0, 1, 2]))
    for domain in range(DOMAINS):
        alone = mapping.branches[domain](mapping.shared(noise[domain : domain + 1]))
        assert torch.allclose(together[domain], alone[0], atol=1e-6)
    heads = DomainHeads(1, (SIDE, SIDE), DOMAINS, 1, width=2)
    logits = heads(torch.randn(2, 1, SIDE, SIDE), torch.tensor([0, 2]))
    assert logits.shape == (2, 1)


def test_the_generators_terms_are_the_papers():
    star, batch = game(), pictures()
    star.progress = Progress(1, 25, 100)  # a quarter of the run is done
    torch.manual_seed(0)
    terms = star.generator_loss(batch, star.read, star.read_other)
    x, origin, target = batch["input"], batch["origin"], batch["domain"]
    style = star.encoder(batch["image"], target)
    other = star.encoder(batch["reference"], target)
    fake = star.generator(x, style)
    logits = star.critic(fake, target)[:, 0]
    back = star.generator(fake, star.encoder(x, origin))
    wanted = {
        "adversarial": F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits)),
        "style": (star.encoder(fake, target) - style).abs().mean(),
        "diversity": -0.75 * (fake - star.generator(x, other)).abs().mean(),
        "cycle": (back - x).abs().mean(),
    }
    assert set(terms) == set(wanted)
    for name, value in wanted.items():
        assert terms[name].item() == pytest.approx(value.item(), rel=1e-4), name


def test_the_critics_penalty_is_half_the_squared_gradient():
    star, batch = game(), pictures()
    terms = star.critic_loss(batch, star.read(batch))
    real = batch["input"].clone().requires_grad_()
    (slope,) = torch.autograd.grad(star.judge(real, batch["origin"]).sum(), real)
    assert terms["penalty"].item() == pytest.approx(
        0.5 * slope.square().sum((1, 2, 3)).mean().item(), rel=1e-4
    )


def test_diversity_falls_to_nothing_and_references_move_the_generator_alone():
    star = game(diversity=2.0)
    weights = []
    for seen in (0, 50, 100):
        star.progress = Progress(seen, seen, 100)
        weights.append(star.diversity())
    assert weights == [2.0, 1.0, 0.0]
    assert [turn.players for turn in star.turns()] == [
        ("critic",),
        ("critic",),
        NOISE,
        ("generator",),
    ]


def test_a_reference_gives_its_style_and_a_seed_another(tmp_path):
    recipe = zerosum.recipe("starganv2/tiny").override(
        {"train.examples": 16, "evaluate.samples": 0, "data.limit": 64}
    )
    zerosum.train(recipe, tmp_path / "run", device="cpu", quiet=True)
    restyler = Restyler.load(tmp_path / "run")
    rng = np.random.default_rng(0)
    first, second, given = (
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(3)
    )
    by_first = [
        np.asarray(restyler.restyle(given, "coloured", reference=first, seed=s)) for s in (0, 1)
    ]
    assert np.array_equal(*by_first)  # the style is the reference's, whatever the seed
    star = restyler.generator.game
    read = torch.from_numpy(np.asarray(first).copy()).permute(2, 0, 1)[None] / 127.5 - 1
    shown = torch.from_numpy(np.asarray(given).copy()).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        target = torch.tensor([3])
        style = star.style_of(read, target)  # type: ignore[operator]
        made = star.sample(1, input=shown, domain=target, style=style)["image"].clamp(-1, 1)
    wanted = (made[0].permute(1, 2, 0).numpy() + 1) * 127.5
    assert np.abs(wanted - by_first[0]).max() <= 0.51
    torch.manual_seed(0)
    with torch.no_grad():
        styles = star.sample(4, input=shown.expand(4, -1, -1, -1), domain=target.expand(4))
    assert len({tuple(one.tolist()) for one in styles["style"]}) == 4
    assert restyler.restyle(given, "0", size="own", reference=second).size == (8, 8)


def test_sizes_that_cannot_be_halved_are_refused():
    fields = Domains(path="digits").open().train.fields
    with pytest.raises(UserError, match=r"multiples of 16, not 8x8.*lower model\.halvings"):
        StarGANv2.Config().matched(DataSpec(fields))


def test_two_codes_give_two_styles_from_the_start():
    """He's weights keep the mean square of a code, 1, through layers of ReLUs; the first, which
    meets no ReLU's output, doubles it."""
    made = game(latent=16, style=64, mapping_width=512)
    with torch.no_grad():
        styles = made.mapping(torch.randn(500, 16), torch.zeros(500, dtype=torch.long))
    assert styles.square().mean().sqrt().item() == pytest.approx(2**0.5, rel=0.25)
    assert styles.std(0).mean().item() > 0.4  # between codes; torch's own weights: 0.001
    biases = [p for name, p in made.named_parameters() if name.endswith("bias")]
    assert biases and not any(bias.any() for bias in biases)
