"""SRGAN, ESRGAN and Real-ESRGAN: networks, losses, phases, and what a run resumes."""

from itertools import repeat
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor, nn

import zerosum
from zerosum.core.draw import draw
from zerosum.core.engine import play_step
from zerosum.core.game import Game, Progress
from zerosum.core.registry import build_game, recipe
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.modalities.images.paired_scores import PAIRED_METRICS, baselines
from zerosum.modalities.images.perceptual import (
    perceptual_distances,
    perceptual_loss,
    perceptual_network,
)
from zerosum.nets.remembered import Remembered
from zerosum.nets.rrdb import RRDB, RRDBNet
from zerosum.nets.upscale import PictureCritic, SRResNet, UNetCritic
from zerosum.training import checkpoint
from zerosum.training.prepare import prepare

SYSTEMS = ("srgan", "esrgan", "real_esrgan")
BORDER = 320
"""Examples of the first phase of the presets tiny."""


def game(name: str, seen: int = 0, **changes: object) -> tuple[Game, dict[str, Tensor]]:
    """A tiny game at a point of the clock, and a batch for it."""
    asked = {path.replace("__", "."): value for path, value in changes.items()}
    split, chosen = prepare(recipe(f"{name}/tiny").override(asked), Runtime(torch.device("cpu")))
    torch.manual_seed(0)
    built = build_game(chosen)
    built.progress = Progress(seen // 16, seen, chosen.train.examples)
    return built, split.train.some(4)


# -- networks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("base", [True, False])
@pytest.mark.parametrize("kind", ["srresnet", "rrdb"])
def test_a_generator_reaches_as_far_as_it_says(scale: int, base: bool, kind: str):
    torch.manual_seed(0)
    made: SRResNet | RRDBNet
    if kind == "srresnet":
        made = SRResNet(1, scale=scale, width=4, blocks=2, base=base)
    else:
        made = RRDBNet(1, scale=scale, width=4, blocks=1, growth=2, base=base)
    made = made.double().eval()
    if base:
        nn.init.normal_(made.last.weight)  # begins at 0
    side = 2 * made.radius + 11
    given = torch.rand(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    answer = made(given)
    assert answer.shape == (1, 1, side * scale, side * scale)
    reach = 0
    for offset in range(scale):  # each pixel on the middle one of the input
        at = side // 2 * scale + offset
        (slope,) = torch.autograd.grad(answer[0, 0, at, at], given, retain_graph=True)
        rows = slope[0, 0].abs().sum(1).nonzero().flatten() - side // 2
        reach = max(reach, int(rows.abs().max()))
    assert made.radius - 2 <= reach <= made.radius


def test_with_a_base_training_begins_at_the_picture_enlarged():
    given = torch.rand(2, 3, 9, 7)
    wanted = nn.functional.interpolate(given, (18, 14), mode="bicubic")
    small = {"scale": 2, "width": 4, "blocks": 1, "base": True}
    for made in (SRResNet(3, **small), RRDBNet(3, growth=2, **small)):
        assert torch.allclose(made(given), wanted, atol=1e-6)


def test_a_block_adds_a_fifth_of_three_dense_blocks():
    torch.manual_seed(0)
    block, maps = RRDB(4, 2), torch.randn(1, 4, 6, 6)
    inner = maps
    for dense in block.blocks:
        seen = inner
        for layer in list(dense.layers)[:-1]:
            seen = torch.cat([seen, nn.functional.leaky_relu(layer(seen), 0.2)], 1)
        inner = inner + 0.2 * dense.layers[-1](seen)
    assert torch.allclose(block(maps), maps + 0.2 * inner, atol=1e-6)


def test_critics_judge_pictures_of_any_size():
    for side in (16, 24):
        pictures = torch.rand(3, 3, side, side)
        assert PictureCritic(3, width=4, halvings=2)(pictures).shape == (3,)
        assert UNetCritic(3, width=4)(pictures).shape == (3, 1, side, side)


def test_a_mixture_of_weights_lies_between_them():
    network = Remembered(nn.Linear(2, 1, bias=False))
    network.network.weight.data = torch.tensor([[1.0, 0.0]])
    network.remember()
    network.network.weight.data = torch.tensor([[3.0, 4.0]])
    given = torch.tensor([[1.0, 10.0]])
    assert [float(network(given, strength=s).detach()) for s in (0.0, 0.25, 1.0)] == [
        1.0,
        11.5,
        43.0,
    ]
    assert {name for name, _ in network.named_parameters()} == {"network.weight"}
    assert "was_weight" in network.state_dict()


def test_running_statistics_are_remembered_with_their_weights():
    network = Remembered(nn.BatchNorm1d(1))
    network.network.running_mean.fill_(2.0)
    network.remember()
    network.network.running_mean.fill_(10.0)  # the game goes on
    network.eval()
    answers = [float(network(torch.tensor([[4.0]]), strength=s).detach()) for s in (0, 0.5, 1)]
    assert answers == pytest.approx([2.0, -2.0, -6.0], rel=1e-5)


# -- losses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "power"), [("srgan", 2), ("esrgan", 1), ("real_esrgan", 1)])
def test_the_first_phase_learns_the_distance_alone(name: str, power: int):
    built, batch = game(name)
    (turn,) = built.turns()
    assert turn.players == ("generator",)
    ((term, value),) = turn.loss(batch).items()
    made = built.sample(4, input=batch["input"])["image"].detach()
    assert term == f"l{power}"
    assert float(value.detach()) == pytest.approx(
        float((made - batch["image"]).abs().pow(power).mean())
    )


def test_esrgan_compares_with_the_mean_of_the_others():
    """Equations 1 and 2 of the paper, on logits that are known."""
    built, batch = game("esrgan", BORDER, model__distance=0.0)
    real, fake = torch.tensor([1.0, 3.0, 0.0, 2.0]), torch.tensor([-1.0, 0.5, 2.0, -0.5])

    class Known(nn.Module):
        """Answers by what it is shown: the batch's own pictures are real."""

        def forward(self, pictures: Tensor) -> Tensor:
            return real if pictures is batch["image"] else fake

    built.discriminator = Known()
    critic, generator = (turn.loss for turn in built.turns())

    def log(values: Tensor) -> float:
        return float(torch.sigmoid(values).log().mean())

    above, below = real - fake.mean(), fake - real.mean()
    assert float(critic(batch)["adversarial"].detach()) == pytest.approx(
        -log(above) - log(-below), rel=1e-5
    )
    wanted = 0.005 * (-log(-above) - log(below))
    assert float(generator(batch)["adversarial"]) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("name", ["srgan", "real_esrgan"])
def test_the_others_judge_each_picture_alone(name: str):
    built, batch = game(name, BORDER, model__adversarial=0.25)
    critic, generator = (turn.loss for turn in built.turns())
    logits = built.critics()["discriminator"]
    made = built.answered(batch)
    ours, theirs = logits(made).detach(), logits(batch).detach()
    soft = nn.functional.softplus
    assert float(critic(batch)["adversarial"].detach()) == pytest.approx(
        float(soft(-theirs).mean() + soft(ours).mean()), rel=1e-3
    )
    terms = generator(batch)
    assert float(terms["adversarial"].detach()) == pytest.approx(
        0.25 * float(soft(-ours).mean()), rel=1e-3
    )


def test_the_distance_of_layers_is_a_share_of_their_size():
    wanted = [torch.full((1, 2, 2, 2), 4.0), torch.full((1, 1, 1, 1), -10.0)]
    made = [one * 1.5 for one in wanted]
    assert float(perceptual_loss(made, wanted)) == pytest.approx(0.5)
    assert float(perceptual_loss(wanted, wanted)) == 0


def test_without_the_classifiers_weights_a_line_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ZEROSUM_WEIGHTS", raising=False)
    with pytest.raises(UserError, match=r"ZEROSUM_WEIGHTS.*model.features=none"):
        perceptual_network("efficientnet-lite0")
    assert perceptual_network("none") is None


# -- phases -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_game_begins_when_the_first_phase_has_ended(name: str):
    for seen, players in ((BORDER - 16, ["generator"]), (BORDER, ["discriminator", "generator"])):
        built, _ = game(name, seen)
        assert [turn.player for turn in built.turns()] == players


def train(folder: Path, name: str, examples: int) -> checkpoint.Snapshot:
    changes = {
        "model.warm_up": 64,
        "train.examples": examples,
        "evaluate.samples": 0,
        "doctor.policy": "off",
    }
    zerosum.train(recipe(f"{name}/tiny").override(changes), folder, quiet=True)
    path, _ = checkpoint.latest(folder / "checkpoints")
    assert path is not None
    return checkpoint.load(path)


def test_a_run_resumes_exactly_across_the_border_of_its_phases(tmp_path: Path):
    whole = train(tmp_path / "whole", "esrgan", 96)
    train(tmp_path / "parts", "esrgan", 48)  # in the first phase
    parts = train(tmp_path / "parts", "esrgan", 96)
    for one, two in ((whole.game, parts.game), (whole.ema, parts.ema)):
        assert one and one.keys() == two.keys()
        assert all(torch.equal(value, two[key]) for key, value in one.items())
    key = "generator.network.last.weight"
    remembered = parts.game[key.replace("network.last.weight", "was_last_weight")]
    assert not torch.equal(remembered, parts.game[key])  # the game has moved on from there


def test_what_is_remembered_is_the_end_of_the_first_phase():
    built, batch = game("esrgan", model__warm_up=32)
    rules = {
        name: torch.optim.SGD([p for m in modules for p in m.parameters()], lr=0.1)
        for name, modules in built.players().items()
    }
    kept = []
    for step in range(4):
        built.progress = Progress(step, 16 * step, 64)
        play_step(built, repeat(batch), rules, Runtime(torch.device("cpu")))
        state = built.state_dict()
        kept.append(
            (
                state["generator.network.last.weight"].clone(),
                state["generator.was_last_weight"].clone(),
            )
        )
    (_, first), (end, second), (moved, third), (_, fourth) = kept
    assert torch.equal(second, end) and not torch.equal(first, end)
    assert torch.equal(third, end) and torch.equal(fourth, end) and not torch.equal(moved, end)


def test_strength_goes_from_the_first_phase_to_the_game(tmp_path: Path):
    train(tmp_path / "run", "srgan", 96)
    loaded = zerosum.load(tmp_path / "run")
    network = loaded.game.generator
    given = torch.rand(2, 3, 8, 8) * 2 - 1

    def sampled(strength: float) -> Tensor:
        settings = loaded.options({"strength": strength})
        return draw(loaded.game, 2, 0, {"input": given}, settings)["image"]

    assert torch.allclose(sampled(1.0), network.network(given), atol=1e-6)
    state = network.network.state_dict()
    for name in state:
        state[name] = network.state_dict()["was_" + name.replace(".", "_")]
    network.network.load_state_dict(state)
    calm = network.network(given)
    assert torch.allclose(sampled(0.0), calm, atol=1e-6)


def test_one_phase_cannot_be_mixed():
    built, batch = game("esrgan", model__warm_up=0)
    built.options = built.Options(strength=0.5)  # pyright: ignore[reportCallIssue]
    with pytest.raises(UserError, match="strength mixes two phases, and this model had one"):
        built.sample(4, input=batch["input"])


# -- data that do not fit -----------------------------------------------------------------------


def test_other_data_are_refused_with_the_kind_that_fits():
    other = recipe("esrgan/tiny").model_copy(update={"data": Images(path="digits")})
    with pytest.raises(UserError, match="learns from 'input'"):
        prepare(other, Runtime(torch.device("cpu")))
    pairs = recipe("pix2pix/tiny").data
    with pytest.raises(UserError, match=r"data.kind=degraded"):
        prepare(
            recipe("esrgan/tiny").model_copy(update={"data": pairs}), Runtime(torch.device("cpu"))
        )
    with pytest.raises(UserError, match=r"crops of 20 pixels cannot be: set data.crop=16"):
        game("real_esrgan", data__crop=20)
    with pytest.raises(UserError, match=r"model.scale=4 but the data have 2"):
        game("esrgan", model__scale=4)


# -- scores -------------------------------------------------------------------------------------


def test_the_baseline_is_the_picture_enlarged():
    low, high = torch.rand(3, 3, 8, 8) * 2 - 1, torch.rand(3, 3, 32, 32) * 2 - 1
    found = baselines({"input": low, "image": high}, low)
    assert list(found) == ["bicubic"] and found["bicubic"].shape == high.shape
    even = torch.full((1, 3, 8, 8), 0.25)
    assert torch.allclose(
        baselines({"input": low, "image": high}, even)["bicubic"],
        torch.full((1, 3, 32, 32), 0.25),
    )


def test_the_perceptual_distance_sees_blur_and_no_equal_pictures():
    try:
        perceptual_network("efficientnet-lite0")
    except UserError:
        pytest.skip("the classifier's weights are not here")
    picture = torch.tensor(load_sample_images().images[0]).permute(2, 0, 1)[None, :, 100:228, :128]
    real = picture.float() / 127.5 - 1
    small = nn.functional.avg_pool2d(real, 4)
    blurred = nn.functional.interpolate(small, scale_factor=4, mode="bicubic")
    slightly = nn.functional.interpolate(
        nn.functional.avg_pool2d(real, 2), scale_factor=2, mode="bicubic"
    )
    none, little, much = (
        float(perceptual_distances(real, one)) for one in (real, slightly, blurred)
    )
    assert none == pytest.approx(0, abs=1e-6) and 2 * little < much < 4
    assert PAIRED_METRICS["perceptual"].better == "lower"
