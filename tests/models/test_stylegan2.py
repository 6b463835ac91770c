"""What is particular to stylegan2: lazy turns, styles, truncation, what moves once a step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from zerosum.core.draw import codes, draw
from zerosum.core.engine import play_step
from zerosum.core.game import Progress
from zerosum.core.optim import Optim, build_optimizers
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError
from zerosum.losses.penalties import r1
from zerosum.models.images.stylegan2 import PRESETS, StyleGAN2, auto

SCHEDULES = np.load(Path(__file__).parents[1] / "data/official/sg2_schedules.npz")
CPU = Runtime(torch.device("cpu"))


def game(**settings: object) -> StyleGAN2:
    torch.manual_seed(0)
    small = {"latent": 4, "style": 6, "layers": 2, "base": 32, "most": 8}
    return StyleGAN2(StyleGAN2.Config(**{"channels": 1, "size": (8, 8), **small, **settings}))  # pyright: ignore


def batch(n: int = 4, classes: int = 0) -> dict[str, torch.Tensor]:
    found = {"image": torch.randn(n, 1, 8, 8)}
    return found | {"label": torch.arange(n) % classes} if classes else found


def test_rates_of_lazy_players_are_the_releases():
    for name, every in (("lazy_G", 4), ("lazy_D", 16)):
        optim = Optim(lr=0.0025, betas=(0.0, 0.99)).lazy(every)
        found = np.array([optim.lr, *optim.betas])
        np.testing.assert_allclose(found, SCHEDULES[f"out/{name}"], rtol=1e-12)


def test_penalties_are_played_at_their_intervals_and_weigh_as_many_steps():
    system = game(path_every=2, penalty_every=3, gamma=4.0, path=1.5)
    optimizers = build_optimizers(PRESETS["tiny"].optim, system.players())
    played = []
    for step in range(6):
        system.progress = Progress(step, 4 * step, 24)
        log = play_step(system, iter([batch()]), optimizers, CPU)
        played.append(("generator/path" in log, "discriminator/r1" in log))
    assert [path for path, _ in played] == [True, False] * 3
    assert [penalty for _, penalty in played] == [True, False, False] * 2
    shown = batch()
    torch.manual_seed(3)
    found = system.penalty_loss(shown)["r1"]
    wanted = r1(lambda x: system.discriminator(x).squeeze(1), shown["image"])
    torch.testing.assert_close(found, 3 * 4.0 / 2 * wanted)


def test_the_mean_style_and_the_mean_length_move_once_a_step_and_not_in_a_loss():
    system = game(mixing=0.0, path_every=1)
    shown = batch()
    torch.manual_seed(1)
    system.generator_loss(shown)
    system.path_loss(shown)
    assert not system.generator.mapping.average.any()
    assert system.path.mean == 0
    torch.manual_seed(1)
    z = system.latent(4)
    system = game(mixing=0.0, path=0)
    torch.manual_seed(1)
    system.generator_loss(shown)
    styles = system.generator.mapping(z)[:, 0].mean(0)
    system.after_step(Progress())
    torch.testing.assert_close(system.generator.mapping.average, 0.005 * styles)
    system.after_step(Progress())  # without a new loss nothing moves
    torch.testing.assert_close(system.generator.mapping.average, 0.005 * styles)


def test_mixed_styles_begin_as_one_code_and_end_as_another():
    system, shown = game(mixing=1.0), batch(3)
    torch.manual_seed(5)
    z = system.latent(3)
    torch.manual_seed(5)
    styles = system.styles(3, shown)
    first = system.generator.mapping(z)[:, 0]
    same = [bool(torch.allclose(styles[:, k], first)) for k in range(styles.shape[1])]
    cut = same.index(False)
    assert same == [True] * cut + [False] * (len(same) - cut)
    assert 1 <= cut < len(same) == 4
    torch.testing.assert_close(styles[:, cut], styles[:, -1])


def test_truncation_goes_to_the_mean_style_and_spares_the_later_layers():
    system = game().eval()
    system.generator.mapping.average.normal_()
    mean = system.mean_style().expand(1, 4, -1)
    at_mean = system.of_styles(mean, {})["image"]
    all_of_it = draw(system, 3, 0, options=StyleGAN2.Options(truncation=0.0))["image"]
    torch.testing.assert_close(all_of_it, at_mean.expand(3, -1, -1, -1))
    z = codes(system, 3, 0)
    own = system.to_styles(z, {})
    half = own.clone()
    half[:, :2] = 0.5 * (half[:, :2] + mean[:, :2])
    some = draw(system, 3, 0, options=StyleGAN2.Options(truncation=0.5, cutoff=2))["image"]
    torch.testing.assert_close(some, system.of_styles(half, {})["image"])


def test_classes_reach_both_networks():
    system = game(labels=True, classes=3).eval()
    z = torch.randn(1, 4).expand(3, -1)
    made = system.decode(z, {"label": torch.arange(3)})
    assert len({tuple(one.flatten().tolist()) for one in made["image"]}) == 3
    assert made["label"].tolist() == [0, 1, 2]
    image = torch.randn(1, 1, 8, 8).expand(3, -1, -1, -1)
    assert system.judge(image, {"label": torch.arange(3)}).unique().numel() == 3


def test_frozen_layers_rest_while_the_others_move():
    system = game(freeze=3, group=1)
    before = {name: t.clone() for name, t in system.discriminator.state_dict().items()}
    optimizers = build_optimizers(PRESETS["tiny"].optim, system.players())
    play_step(system, iter([batch()]), optimizers, CPU)
    after = system.discriminator.state_dict()
    resting = {name for name in before if torch.equal(before[name], after[name])}
    first = ("sees", "look", "halve")
    assert resting == {f"blocks.0.{layer}.{t}" for layer in first for t in ("weight", "bias")}


@pytest.mark.parametrize(
    ("size", "channels", "sizes", "widths"),
    [
        ((28, 28), 1, [(7, 7), (14, 14), (28, 28)], [73, 36, 18]),
        ((16, 24), 4, [(4, 6), (8, 12), (16, 24)], [85, 42, 21]),
        ((32, 32), 2, [(4, 4), (8, 8), (16, 16), (32, 32)], [100, 64, 32, 16]),
    ],
)
def test_any_size_and_number_of_channels(size, channels, sizes, widths):
    system = game(size=size, channels=channels, base=512, most=100)
    levels = system.generator.levels
    assert (levels.sizes, levels.widths) == (sizes, widths)
    made = system.sample(2)["image"]
    assert made.shape == (2, channels, *size)
    assert system.judge(made, {}).shape == (2,)
    with pytest.raises(UserError, match=r"30x30 cannot be reached .* data.size=32"):
        game(size=(30, 30))


def test_each_style_has_the_weights_that_it_tells():
    """Moving a style along what no layer sees changes nothing; along what one sees, does."""
    system = game(style=40, most=6, base=24).eval()
    weights = system.style_weights()
    styles = system.to_styles(torch.randn(1, 4), {})
    assert len(weights) == styles.shape[1] == 4
    before = system.of_styles(styles, {})["image"]
    for k, matrix in enumerate(weights):
        unseen = torch.linalg.svd(matrix)[2][-1]
        for direction, moves in ((unseen, False), (matrix[0], True)):
            moved = styles.clone()
            moved[:, k] += direction
            after = system.of_styles(moved, {})["image"]
            assert torch.allclose(before, after, atol=1e-5) != moves, k


def test_auto_follows_resolution_and_batch():
    """The formulas of the authors' configuration, by hand for two cases."""
    small, large = auto(64), auto(1024, batch=8)
    assert (small.train.batch, small.model.gamma) == (32, pytest.approx(0.0256))  # pyright: ignore
    assert (small.model.base, small.ema.half_life) == (16384, 10_000)  # pyright: ignore
    assert large.model.gamma == pytest.approx(26.2144)  # pyright: ignore
    assert (large.model.base, large.ema.half_life) == (32768, 2_500)  # pyright: ignore
    assert large.optim["generator"].lr == pytest.approx(0.0016)
    assert auto(256).train.batch == 16


@pytest.mark.slow
@pytest.mark.parametrize("classes", [0, 3])
def test_it_is_written_as_onnx_with_a_free_batch(classes: int, tmp_path: Path):
    """Modulation stays around plain convolutions: `write` compares with torch at two sizes."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from zerosum.pipelines.onnx import write

    system = game(labels=bool(classes), classes=classes, architecture="skip")
    assert write(system, tmp_path / "generator.onnx") < 1e-4
