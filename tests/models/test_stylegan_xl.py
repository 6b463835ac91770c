"""What is particular to stylegan_xl: bands that grow, stages, told features, guidance."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

import zerosum
from zerosum.core.engine import play_step
from zerosum.core.optim import build_optimizers
from zerosum.core.registry import build_game, recipe
from zerosum.core.runtime import Runtime
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.modalities.images.extractors.classifiers import SmallClassifier
from zerosum.nets.bands import Bands
from zerosum.training.transfer import begin_with


def made(size=8, stages=0, **settings):
    settings = {"guide": "", "stages": stages, **settings}
    changes = {f"model.{name}": value for name, value in settings.items()}
    chosen = recipe("stylegan_xl/tiny").override(changes)
    data = Images(path="digits", size=(size, size)).open()
    spec = DataSpec(data.train.fields, data.codec)
    torch.manual_seed(stages)
    game = build_game(chosen.model_copy(update={"model": chosen.model.matched(spec)}))
    game.learn_from(data)
    return game, data


def test_layers_of_the_papers_stages():
    """Section 3.3: 11 layers at 16 pixels; each doubling cuts two off and adds seven."""
    bands = Bands.of((16, 16), 3, layers=10)
    counts = [len(bands.bands) - 1]
    for side in (32, 64, 128, 256):
        grown = bands.grown((side, side), 3)
        assert grown.bands[: len(bands.bands) - 3] == bands.bands[:-3]
        cutoffs = [band.cutoff for band in grown.bands[1:]]
        assert cutoffs == pytest.approx(sorted(cutoffs))
        assert cutoffs[-3:] == pytest.approx([side / 2] * 3)  # the critical ones, and the colours
        assert [band.size for band in grown.bands[-2:]] == [(side, side)] * 2
        bands = grown
        counts.append(len(bands.bands) - 1)
    assert counts == [11, 16, 21, 26, 31]


def test_a_stage_begins_with_the_one_before_and_trains_what_is_new(tmp_path):
    small, _ = made()
    zerosum.train(
        recipe("stylegan_xl/tiny").override({"evaluate.samples": 0, "train.examples": 16}),
        tmp_path / "small",
        quiet=True,
    )
    trained = zerosum.load(tmp_path / "small").game.state_dict()
    large, data = made(16, 1)
    fresh = {name: value.clone() for name, value in large.state_dict().items()}
    begin_with(large, tmp_path / "small")
    begun = large.state_dict()
    # Four layers and one to colours, of which the last three were cut off.
    assert large.kept == 2 and len(small.generator.synthesis.layers) == 5
    for name, value in trained.items():
        if name.startswith(("generator.synthesis.layers.0.", "generator.mapping.")):
            assert torch.equal(begun[name], value), name
    newest = [name for name in begun if name.startswith(large.anew())]
    assert {name.split(".")[3] for name in newest} == {"2", "3", "4", "5"}
    assert all(torch.equal(begun[name], fresh[name]) for name in newest)

    before = {name: value.clone() for name, value in begun.items()}
    optimizers = build_optimizers(recipe("stylegan_xl/tiny").optim, large.players())
    batch = data.train.finished(range(4))
    play_step(large, iter([batch] * 4), optimizers, Runtime(torch.device("cpu")))
    moved = {n for n, v in large.state_dict().items() if not torch.equal(v, before[n])}
    generators = {n for n, _ in large.generator.named_parameters(prefix="generator")}
    # Bias by the way: the last layer's bias and all weights of new layers move, nothing older.
    assert moved & generators <= set(newest)
    weights = {n for n in newest if n.endswith("weight") and ".style." not in n}
    assert weights and weights <= moved
    assert not any(name.startswith("generator.mapping") for name in moved)


def test_what_is_told_is_the_mean_feature_of_a_class():
    game, data = made()
    some = data.train.some(4_096)
    maps = game.discriminator.features(game.discriminator.shown(some["image"]))[-1].mean((2, 3))
    means = torch.stack([maps[some["label"] == k].mean(0) for k in range(10)])
    centred = means - means.mean(0)
    expected = centred / centred.square().mean().sqrt()
    torch.testing.assert_close(game.class_features, expected, rtol=1e-4, atol=1e-4)
    batch = {"label": torch.tensor([3, 0])}
    assert torch.equal(game.told(batch), game.class_features[[3, 0]])


def test_told_logits_by_hand():
    """Maps times the projection of what is told, summed, over the root of their number."""
    game, _ = made()
    critic = game.discriminator.critics[0].eval()
    maps, told = torch.randn(2, 24, 8, 8), torch.randn(2, 320)
    seen, along = critic.body(maps), told @ critic.project.weight.T + critic.project.bias
    expected = torch.einsum("bchw,bc->bhw", seen, along)[:, None] / seen.shape[1] ** 0.5
    torch.testing.assert_close(critic(maps, told), expected)


def test_the_guide_is_the_classifiers_cross_entropy():
    game, data = made(guide="digits", guidance=8.0)
    batch = data.train.finished(range(8))
    torch.manual_seed(3)
    found = game.generator_loss(batch)["guide"]
    torch.manual_seed(3)
    fake = game.fakes(batch)
    logits = SmallClassifier("digits").outputs(fake.detach()).logits
    torch.testing.assert_close(found, 8 * cross_entropy(logits, batch["label"]))
    real = game.guide(batch["image"])
    assert torch.equal(real.argmax(1), batch["label"])  # and its gradient reaches the generator
    found.backward()
    assert game.generator.synthesis.layers[0].weight.grad.abs().max() > 1e-6


def test_wrong_stages_and_guides_are_told_in_a_line():
    with pytest.raises(UserError, match="stages=1 halves 8x8 pixels to less than 8"):
        made(8, 1)
    with pytest.raises(UserError, match="tells 10 classes apart and the model has 0"):
        made(guide="digits", labels=False)
