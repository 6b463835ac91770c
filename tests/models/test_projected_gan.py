"""What is particular to projected_gan as a game."""

from __future__ import annotations

import pytest
import torch

import zerosum
from zerosum.augment.diffaugment import DiffAugment
from zerosum.core.draw import draw
from zerosum.core.engine import play_step
from zerosum.core.frozen import Frozen
from zerosum.core.optim import build_optimizers
from zerosum.core.registry import build_game, recipe
from zerosum.core.remedies import with_remedies
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError
from zerosum.modalities.images.extractors.lite0 import available
from zerosum.models.images.projected_gan import AUGMENTED, ProjectedGAN
from zerosum.nets.projected import LITE0, STRIDES, RandomPyramid
from zerosum.training import checkpoint


def config(**settings):
    made = {"latent": 8, "width": 1, "critic_width": 4, "features": "random", "seen": 32}
    return ProjectedGAN.Config(**{"channels": 3, "size": (16, 16)} | made | settings)


def game(**settings):
    torch.manual_seed(0)
    return ProjectedGAN(config(**settings))


def batch(n=4, channels=3, size=16):
    return {"image": torch.rand(n, channels, size, size) * 2 - 1}


def test_losses_are_the_hinge_summed_over_four_scales():
    """Equation 4 with the hinge: each critic's mean by itself, whatever its number of places."""
    made, given = game(), batch()
    made.eval()  # no power iteration, no new noise
    torch.manual_seed(5)
    (found,) = made.discriminator_loss(given).values()
    torch.manual_seed(5)
    fake = made.generator(torch.randn(4, 8))
    judged = zip(made.discriminator(given["image"]), made.discriminator(fake), strict=True)
    wanted = [(1 - r).clamp(min=0).mean() + (1 + f).clamp(min=0).mean() for r, f in judged]
    assert len(wanted) == 4
    torch.testing.assert_close(found, torch.stack(wanted).sum())
    torch.manual_seed(5)
    (found,) = made.generator_loss(given).values()
    wanted = [-f.mean() for f in made.discriminator(fake)]
    torch.testing.assert_close(found, torch.stack(wanted).sum())


def test_the_critic_joins_the_logits_of_all_scales():
    """Maps of 8, 4, 2 and 1 places a side, of which the first is halved once."""
    logits = game().critics()["discriminator"](batch())
    assert logits.shape == (4, 4 * 4 + 4 * 4 + 2 * 2 + 1)


def test_a_step_moves_no_weight_of_the_projection():
    made = game()
    before = {name: value.clone() for name, value in made.state_dict().items()}
    optimizers = build_optimizers(recipe("projected_gan/tiny").optim, made.players())
    play_step(made, iter([batch()] * 4), optimizers, Runtime(torch.device("cpu")))
    fixed = [n for n in before if ".mixing." in n or ".features." in n]
    assert len(fixed) == 5 + 7
    state = made.state_dict()
    assert all(torch.equal(before[name], state[name]) for name in fixed)
    moved = made.discriminator.critics[3][0].parametrizations.weight.original
    assert not torch.equal(
        before["discriminator.critics.3.0.parametrizations.weight.original"], moved
    )


def test_images_are_augmented_before_the_features_in_training_alone():
    made, seen = with_remedies(ProjectedGAN, config(), AUGMENTED), []
    assert isinstance(made, ProjectedGAN)
    made.discriminator.features.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    images = batch()["image"]
    torch.manual_seed(7)
    made.discriminator(images)
    torch.manual_seed(7)
    changed = DiffAugment(("color", "translation", "cutout"))(images)
    assert torch.equal(seen[0], made.discriminator.shown(changed))
    made.eval()
    made.discriminator(images)
    assert torch.equal(seen[1], made.discriminator.shown(images))
    assert not torch.equal(seen[0], seen[1])


def test_the_presets_of_the_paper_augment():
    for name in ("photos", "cifar10"):
        assert recipe(f"projected_gan/{name}").remedies == AUGMENTED


def test_missing_weights_and_other_channels_are_told_in_a_line(monkeypatch):
    monkeypatch.delenv("ZEROSUM_WEIGHTS", raising=False)
    with pytest.raises(UserError, match=r"ZEROSUM_WEIGHTS.*or judge by .* model.features=random"):
        game(features="efficientnet-lite0")
    with pytest.raises(UserError, match="reads grey or RGB images, not 4 channels: set data"):
        game(channels=4)
    with pytest.raises(UserError, match="seen"):
        recipe("projected_gan/tiny").override({"model.seen": "16"})


@pytest.mark.skipif(not available(), reason="the weights of EfficientNet-Lite0 are not here")
def test_features_of_the_classifier_have_the_widths_and_strides_of_the_critics():
    made = game(features="efficientnet-lite0")
    maps = made.discriminator.features(torch.rand(1, 3, 64, 96))
    shapes = [(1, width, 64 // s, 96 // s) for width, s in zip(LITE0, STRIDES)]
    assert [tuple(one.shape) for one in maps] == shapes
    # The network is named in the checkpoint, not stored.
    stored = [name for name in made.discriminator.state_dict() if name.startswith("features.")]
    assert stored == ["features.network._extra_state"]
    made.generator_loss(batch())["adversarial"].backward()
    assert made.generator.last.weight.grad.abs().max() > 1e-6
    assert not any(
        p.requires_grad for p in made.discriminator.features.network.network.parameters()
    )


def test_samples_repeat_though_noise_is_added_in_training():
    made = build_game(
        recipe("projected_gan/tiny").override({"model.size": "[8,8]", "model.channels": "1"})
    )
    for block in made.generator.blocks:
        torch.nn.init.ones_(block.first.noise.strength)
    assert torch.equal(draw(made, 3, 0)["image"], draw(made, 3, 0)["image"])


def test_a_run_resumes_exactly_with_its_random_projection(tmp_path):
    """Another seed would draw another one; the checkpoint has it."""
    changes = {"evaluate.samples": 0, "remedies": "diffaugment"}
    made = recipe("projected_gan/tiny").override(changes)
    ends = []
    for name, parts in (("whole", (32,)), ("parts", (16, 32))):
        for examples in parts:
            zerosum.train(made.override({"train.examples": examples}), tmp_path / name, quiet=True)
        path, _ = checkpoint.latest(tmp_path / name / "checkpoints")
        assert path is not None
        ends.append(checkpoint.load(path))
    for one, two in ((ends[0].game, ends[1].game), (ends[0].ema, ends[1].ema)):
        assert one and one.keys() == two.keys()
        assert all(torch.equal(value, two[key]) for key, value in one.items())
    assert {"discriminator.mixing.scales0", "discriminator.features.weight0"} <= ends[
        0
    ].game.keys()


def test_a_run_that_is_scored_on_its_own_features_says_so(tmp_path, capsys, monkeypatch):
    """A network of no layers has the name of the extractor, so that no weights are needed."""
    named = Frozen(torch.nn.Identity(), name="pixels", hash="abc")
    pyramid = RandomPyramid()

    def network(*_):
        return torch.nn.Sequential(named, pyramid)

    monkeypatch.setattr("zerosum.models.images.projected_gan.feature_network", network)
    changes = {"train.examples": 16, "evaluate.samples": 16}
    line = "pixels takes part in this training: scores on it flatter the run"
    for features, times in (("pixels", 1), ("random-conv", 0)):
        made = recipe("projected_gan/tiny").override({**changes, "evaluate.features": features})
        zerosum.train(made, tmp_path / features)
        assert capsys.readouterr().err.count(line) == times
