"""`zerosum upscale` and its class: any size, alpha, grey, tiles, strength."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import nn
from typer.testing import CliRunner

from zerosum.cli.main import app
from zerosum.core.registry import build_game, recipe
from zerosum.core.runtime import Runtime
from zerosum.errors import UserError
from zerosum.pipelines import export
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.restore.upscale import Upscaler
from zerosum.training.prepare import prepare


def generator(name: str = "esrgan", **changes: object) -> Generator:
    asked = {path.replace("__", "."): value for path, value in changes.items()}
    split, chosen = prepare(recipe(f"{name}/tiny").override(asked), Runtime(torch.device("cpu")))
    torch.manual_seed(0)
    game = build_game(chosen).eval()
    for parameter in game.parameters():  # so that answers are none of the base's alone
        nn.init.normal_(parameter, std=0.2) if parameter.ndim > 1 else None
    return Generator(game, chosen, split.codec, "runs/x")


def photo(height: int = 50, width: int = 37) -> Image.Image:
    return Image.fromarray(load_sample_images().images[0][100 : 100 + height, 200 : 200 + width])


def test_tiles_give_the_whole_picture():
    made = generator()
    whole, tiled = Upscaler.of(made), Upscaler.of(made, memory=0.002)
    first, second = np.asarray(whole(photo(97, 141))), np.asarray(tiled(photo(97, 141)))
    assert whole.notes == [] and tiled.notes and "in tiles of" in tiled.notes[0]
    assert first.shape == (194, 282, 3)
    assert np.abs(first.astype(int) - second).max() <= 1
    assert first.std() > 10  # no even answer, which tiles could not spoil


def test_alpha_grows_and_grey_stays_grey():
    upscaler = Upscaler.of(generator())
    alpha = Image.new("L", (37, 50), 255)
    alpha.paste(0, (0, 0, 20, 50))
    given = photo()
    given.putalpha(alpha)
    made = upscaler(given)
    assert made.mode == "RGBA" and made.size == (74, 100)
    assert np.asarray(made)[50, [0, 30, 45, 73], 3].tolist() == [0, 0, 255, 255]
    assert np.array_equal(np.asarray(made)[..., :3], np.asarray(upscaler(photo())))
    assert upscaler(photo().convert("L")).mode == "L"


@pytest.mark.parametrize("size", [(1, 1), (2, 33), (5, 3)])
def test_no_size_is_too_small(size: tuple[int, int]):
    for name in ("srgan", "esrgan", "real_esrgan"):
        assert Upscaler.of(generator(name))(photo(*size)).size == (2 * size[1], 2 * size[0])


def test_sixteen_bits_are_near():
    made = generator()
    full = np.asarray(Upscaler.of(made)(photo())).astype(int)
    half = np.asarray(Upscaler.of(made, half=True)(photo()))
    assert np.abs(full - half).max() > 0 and np.abs(full - half).mean() < 2


def test_what_enlarges_nothing_is_refused():
    with pytest.raises(UserError, match="pix2pix, which enlarges nothing: give a run of srgan"):
        Upscaler.of(generator("pix2pix"))
    with pytest.raises(UserError, match=r"was trained in one phase.*leave --strength out"):
        Upscaler.of(generator(model__warm_up=0), strength=0.5)


def test_strength_mixes_the_weights():
    made = generator()
    made.game.generator.remember()
    wanted = np.asarray(Upscaler.of(made)(photo()))
    for parameter in made.game.parameters():
        parameter.data *= 1.5
    now = np.asarray(Upscaler.of(made)(photo()))
    assert np.array_equal(np.asarray(Upscaler.of(made, strength=0.0)(photo())), wanted)
    assert not np.array_equal(now, wanted)


def test_the_command_enlarges_a_file_and_a_folder(tmp_path: Path):
    made = generator()
    export.write(made.game, made.recipe, made.codec, tmp_path / "model", tmp_path / "none")
    (tmp_path / "in" / "below").mkdir(parents=True)
    photo().save(tmp_path / "in" / "a.jpg")
    photo(20, 20).save(tmp_path / "in" / "below" / "b.png")
    (tmp_path / "in" / "c.png").write_bytes(b"no picture")

    def call(*words: object) -> tuple[int, str]:
        ended = CliRunner().invoke(app, ["upscale", str(tmp_path / "model"), *map(str, words)])
        return ended.exit_code, ended.output + str(ended.exception or "")

    status, said = call(tmp_path / "in" / "a.jpg", "--out", tmp_path / "large.png")
    assert status == 0 and "1 picture written" in said
    assert Image.open(tmp_path / "large.png").size == (74, 100)
    status, said = call(tmp_path / "in", "--out", tmp_path / "out")
    assert status == 1 and "c.png cannot be read" in said and "--skip-bad" in said
    status, said = call(tmp_path / "in", "--out", tmp_path / "out", "--skip-bad", "--quiet")
    assert status == 0 and "1 were there already" in said
    assert {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.png")} == {
        "a.png",
        "below/b.png",
    }
