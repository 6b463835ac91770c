"""colorize beside a step written by hand, and `zerosum colorize` on users' pictures."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor
from typer.testing import CliRunner

from zerosum.cli.main import app
from zerosum.core.engine import play_step
from zerosum.core.optim import build_optimizers
from zerosum.core.registry import build_game, recipe
from zerosum.core.runtime import Runtime
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.modalities.images.fields import ImageField, Lightness
from zerosum.modalities.images.lab import parted
from zerosum.models.restoration.colorize import PRESETS, Colorize
from zerosum.pipelines import export
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.restore import colorize
from zerosum.pipelines.restore.colorize import Colorizer, working_size
from zerosum.pipelines.translate import Translator
from zerosum.training.prepare import prepare

# -- the game -----------------------------------------------------------------------------------


def game(**settings) -> Colorize:
    torch.manual_seed(3)
    return Colorize(Colorize.Config(size=(16, 16), width=4, critic_width=4, **settings))


def pairs(count: int = 4) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(5)
    pictures = 2 * torch.rand(count, 3, 16, 16, generator=rng) - 1
    return {"input": parted(pictures)[0], "image": pictures}


def test_a_step_equals_one_written_by_hand():
    ours, batch = game(), pairs()
    theirs = copy.deepcopy(ours)
    optimizers = build_optimizers(PRESETS["photos"].optim, ours.players())
    torch.manual_seed(11)
    log = play_step(ours, iter([batch]), optimizers, Runtime(torch.device("cpu")))

    generator, critic = theirs.generator, theirs.discriminator
    g_moves = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    d_moves = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
    light, colours = parted(batch["image"])
    torch.manual_seed(11)
    with torch.no_grad():
        made = generator(light)
    real_says, fake_says = (
        critic(torch.cat([light, colours], 1)),
        critic(torch.cat([light, made], 1)),
    )
    critic_loss = 0.5 * (
        F.binary_cross_entropy_with_logits(real_says, torch.ones_like(real_says))
        + F.binary_cross_entropy_with_logits(fake_says, torch.zeros_like(fake_says))
    )
    critic_loss.backward()
    d_moves.step()
    made = generator(light)
    says = critic(torch.cat([light, made], 1))
    adversarial = F.binary_cross_entropy_with_logits(says, torch.ones_like(says))
    distance = 100 * (made - colours).abs().mean()
    generator.zero_grad()
    (adversarial + distance).backward()
    g_moves.step()

    assert log["discriminator/adversarial"].item() == pytest.approx(critic_loss.item(), rel=1e-5)
    assert log["generator/adversarial"].item() == pytest.approx(adversarial.item(), rel=1e-5)
    assert log["generator/l1"].item() == pytest.approx(distance.item(), rel=1e-5)
    for name, weight in theirs.state_dict().items():
        assert torch.allclose(ours.state_dict()[name], weight, atol=1e-6), name


def test_the_first_losses_are_those_of_a_critic_that_knows_nothing():
    blind = game()
    for parameter in blind.discriminator[-1].parameters():
        torch.nn.init.zeros_(parameter)
    assert blind.discriminator_loss(pairs())["adversarial"].item() == pytest.approx(math.log(2))
    assert blind.generator_loss(pairs())["adversarial"].item() == pytest.approx(math.log(2))


def test_without_a_game_the_critic_rests():
    alone = game(adversarial=0.0)
    assert [turn.player for turn in alone.turns()] == ["generator"]
    assert alone.critics() == {}
    assert set(alone.generator_loss(pairs())) == {"l1"}


def test_the_critic_judges_the_colours_for_a_lightness():
    judged, batch = game().eval(), pairs()
    logits = judged.critics()["discriminator"](batch)
    other = judged.critics()["discriminator"]({**batch, "input": batch["input"].flip(0)})
    assert logits.shape == other.shape and logits.shape[0] == 4
    assert not torch.allclose(logits, other)


def test_a_sample_has_the_lightness_that_was_given_and_repeats():
    drawn, given = game().eval(), pairs()["input"]
    # Colours far from grey, which many a lightness cannot have.
    torch.nn.init.constant_(drawn.generator.last.bias, 2.0)
    with torch.no_grad():
        made = drawn.sample(4, input=given)
    assert torch.equal(made["input"], given)
    assert made["image"].shape == (4, 3, 16, 16)
    kept, colours = parted(made["image"])
    assert torch.allclose(kept, given, atol=1e-4)
    assert float(colours.mean()) > 0.2
    assert torch.equal(drawn.sample(4, input=given)["image"], made["image"])
    drawn.options = Colorize.Options(noise=True)
    noisy = [
        drawn.sample(4, rng=torch.Generator().manual_seed(seed), input=given)["image"]
        for seed in (0, 0, 1)
    ]
    assert torch.equal(noisy[0], noisy[1])
    assert not torch.equal(noisy[0], noisy[2])


def test_the_configuration_follows_the_data_and_refuses_others():
    fields = {"input": Lightness(shape=(1, 32, 64)), "image": ImageField(shape=(3, 32, 64))}
    assert Colorize.Config().matched(DataSpec(fields)).size == (32, 64)
    others = {"input": ImageField(shape=(1, 32, 64)), "image": fields["image"]}
    with pytest.raises(UserError, match=r"which these are not: read them with data\.kind=greyed"):
        Colorize.Config().matched(DataSpec(others))
    with pytest.raises(UserError, match="give their lightness as input"):
        game().sample(4)


# -- the command --------------------------------------------------------------------------------


def generator(name: str = "colorize") -> Generator:
    split, chosen = prepare(recipe(f"{name}/tiny"), Runtime(torch.device("cpu")))
    torch.manual_seed(0)
    made = build_game(chosen).eval()
    if isinstance(made, Colorize):
        torch.nn.init.normal_(made.generator.last.weight, 0, 0.2)
        torch.nn.init.constant_(made.generator.last.bias, 0.2)
    return Generator(made, chosen, split.codec, "runs/x")


def photo(height: int = 30, width: int = 45) -> Image.Image:
    return Image.fromarray(load_sample_images().images[0][100 : 100 + height, 200 : 200 + width])


def light(picture: Image.Image) -> Tensor:
    values = np.array(picture.convert("RGB"))
    return parted(torch.from_numpy(values).permute(2, 0, 1)[None].float() / 127.5 - 1)[0]


def test_the_lightness_keeps_its_full_size():
    colorizer, given = Colorizer(generator()), photo(60, 91).convert("L")
    made = colorizer(given)
    assert (made.mode, made.size) == ("RGB", given.size)
    # Half a byte of each channel; without what is finer than 24x16 it would differ by 0.5.
    assert float((light(made) - light(given)).abs().max()) < 0.012
    assert float(np.ptp(np.array(made).astype(int), axis=2).mean()) > 5
    assert colorizer.notes == [
        "a and b are made at a working size of 24x16 pixels, as in training, and enlarged; the "
        "lightness keeps its size"
    ]


def test_at_the_trained_size_the_answer_is_the_models_own():
    made = generator()
    given = photo(16, 16).convert("L")
    with torch.no_grad():
        wanted = made.game.sample(1, input=light(given))["image"]
    colorizer = Colorizer(made)
    answer = torch.from_numpy(np.array(colorizer(given))).permute(2, 0, 1)[None] / 127.5 - 1
    assert float((answer - wanted).abs().max()) < 1.1 / 255
    assert colorizer.notes == []


def test_colours_that_are_given_do_not_count():
    colorizer = Colorizer(generator())
    given = photo(16, 16)
    made = colorizer(given)
    assert colorizer.notes == ["was in colour: its colours are left out and made anew"]
    with torch.no_grad():
        wanted = colorizer.generator.game.sample(1, input=light(given))["image"]
    answer = torch.from_numpy(np.array(made)).permute(2, 0, 1)[None] / 127.5 - 1
    assert float((answer - wanted).abs().max()) < 1.1 / 255


def test_alpha_is_kept():
    given = photo().convert("L")
    given.putalpha(Image.new("L", given.size, 99))
    made = Colorizer(generator())(given)
    assert made.mode == "RGBA" and set(np.unique(np.asarray(made)[..., 3])) == {99}


def test_large_pictures_are_put_together_in_bands(monkeypatch: pytest.MonkeyPatch):
    colorizer, given = Colorizer(generator()), photo(60, 91).convert("L")
    whole = np.array(colorizer(given))
    monkeypatch.setattr(colorize, "BAND", 91 * 7)
    assert np.array_equal(np.array(colorizer(given)), whole)


def test_the_working_size_has_the_pictures_shape_within_bounds():
    assert working_size((1000, 1500), 64) == (64, 96)
    assert working_size((33, 20), 16) == (26, 16)
    assert working_size((64, 64), 64) == (64, 64)
    assert working_size((5, 9000), 64) == (64, 256)  # squeezed


def test_other_models_are_named_and_colouring_is_no_translation():
    with pytest.raises(UserError, match=r"runs/x is a lama, which colours no pictures: give a"):
        Colorizer(generator("lama"))
    with pytest.raises(UserError, match=r"runs/x is a colorize, which does not map pictures"):
        Translator(generator())


def test_the_command_colours_a_file_and_a_folder(tmp_path: Path):
    made, given = generator(), tmp_path / "in"
    export.write(made.game, made.recipe, made.codec, tmp_path / "model", tmp_path / "none")
    given.mkdir()
    photo().convert("L").save(given / "a.png")
    deep = np.array(photo().convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(given / "b.png")

    def call(*words: object) -> tuple[int, str]:
        ended = CliRunner().invoke(app, ["colorize", str(tmp_path / "model"), *map(str, words)])
        return ended.exit_code, ended.output + str(ended.exception or "")

    status, said = call(given / "a.png", "--out", tmp_path / "one.png")
    assert status == 0 and "1 picture written" in said
    assert "a.png: a and b are made at a working size of 24x16 pixels" in said
    status, said = call(given, "--out", tmp_path / "all")
    assert status == 0 and "2 pictures written" in said
    assert "b.png: more than 8 bits a channel are read as 8" in said
    first = np.asarray(Image.open(tmp_path / "one.png"))
    for name in ("a", "b"):
        assert np.array_equal(first, np.asarray(Image.open(tmp_path / "all" / f"{name}.png")))
    (given / "c.png").write_bytes(b"no picture")
    status, said = call(given, "--out", tmp_path / "all")
    assert status == 1 and "c.png cannot be read as a picture" in said
    status, said = call(given, "--out", tmp_path / "all", "--skip-bad")
    assert status == 0 and "2 were there already" in said
