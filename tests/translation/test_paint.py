"""`zerosum paint` from a user's files to photos, and every way to get it wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import zerosum
from zerosum.cli.main import app
from zerosum.errors import UserError
from zerosum.modalities.images.labelled import SHAPES, synthetic_shapes
from zerosum.pipelines.paint import Painter, asked_size

LATENT = 4


def trained(name: str, folder):
    recipe = zerosum.recipe(name).override({"train.examples": 16, "evaluate.samples": 0})
    zerosum.train(recipe, folder, device="cpu", quiet=True)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return trained("spade/tiny", tmp_path_factory.mktemp("paint") / "run")


@pytest.fixture(scope="module")
def painter(run):
    return Painter.load(run)


def label_map(side: int = 32) -> np.ndarray:
    return synthetic_shapes(1, seed=9)[0][0][:side, :side]


def command(*words) -> str:
    result = CliRunner().invoke(app, ["paint", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def test_a_file_becomes_a_photo_by_number_or_colour(run, tmp_path, painter):
    numbers = label_map()
    Image.fromarray(numbers).save(tmp_path / "numbers.png")
    colours = np.array([shape.colour for shape in SHAPES], dtype=np.uint8)
    Image.fromarray(colours[numbers]).save(tmp_path / "colours.png")
    for name in ("numbers", "colours"):
        said = command(run, tmp_path / f"{name}.png", "--out", tmp_path / f"{name}-photo.png")
        assert said.splitlines()[-1] == f"1 painted to {tmp_path / f'{name}-photo.png'}"
    one, other = (Image.open(tmp_path / f"{n}-photo.png") for n in ("numbers", "colours"))
    assert one.size == (32, 32) and one.mode == "RGB"
    assert np.array_equal(np.asarray(one), np.asarray(other))
    game = painter.generator.game.eval()
    with torch.no_grad():
        style = torch.randn(1, LATENT, generator=torch.Generator().manual_seed(0))
        wanted = game.sample(1, input=torch.from_numpy(numbers)[None], style=style)["image"]
    assert np.abs((wanted[0].permute(1, 2, 0).numpy() + 1) * 127.5 - np.asarray(one)).max() <= 0.51


def test_any_size_is_painted_and_the_photo_has_it(painter):
    tall = Image.fromarray(np.zeros((45, 37), dtype=np.uint8))
    assert painter.paint(tall, size="own").size == (37, 45)
    assert painter.paint(tall, size="24x50").size == (50, 24)
    assert painter.paint(tall).size == (32, round(45 * 32 / 37))
    assert asked_size((600, 400), (64, 64), "trained") == (96, 64)
    with pytest.raises(UserError, match="--size big: write trained, own, 128 or 128x192"):
        painter.paint(tall, size="big")


def test_what_is_added_at_the_edge_is_cut_off_again(painter):
    """33 rows need one block more, of which all but a row is thrown away; a map that has those
    rows already gives the same photo."""
    numbers = np.vstack([label_map(), label_map()[-1:]])
    whole = np.vstack([label_map(), np.repeat(label_map()[-1:], 8, axis=0)])
    short = np.asarray(painter.paint(Image.fromarray(numbers), size="own"))
    full = np.asarray(painter.paint(Image.fromarray(whole), size="own"))
    assert short.shape == (33, 32, 3) and full.shape == (40, 32, 3)
    assert np.array_equal(short, full[:33])


def test_styles_come_from_the_seed_or_from_a_photo(painter):
    labels = Image.fromarray(label_map())
    one, same, other = (np.asarray(painter.paint(labels, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    photos = [Image.fromarray(picture) for picture in synthetic_shapes(2, seed=3)[1]]
    first, again = (np.asarray(painter.paint(labels, like=photos[0], seed=s)) for s in (1, 2))
    assert np.array_equal(first, again)  # the photo's style, whatever the seed
    assert not np.array_equal(first, np.asarray(painter.paint(labels, like=photos[1])))


def test_a_folder_is_resumed_and_wrong_maps_are_named(run, tmp_path):
    maps, out = tmp_path / "maps", tmp_path / "photos"
    (maps / "street").mkdir(parents=True)
    Image.fromarray(label_map()).save(maps / "a.png")
    Image.fromarray(label_map()).save(maps / "street" / "b.png")
    wrong = label_map().copy()
    wrong[:2, 0] = 200
    Image.fromarray(wrong).save(maps / "c.png")
    with pytest.raises(UserError, match=r"c\.png: label 200 in 2 pixels is none of the 4 classes"):
        command(run, maps, "--out", out)
    said = command(run, maps, "--out", out, "--skip-bad")
    assert "label 200 in 2 pixels" in said and "1 painted" in said and "1 there already" in said
    assert (out / "a.png").is_file() and (out / "street" / "b.png").is_file()
    assert not (out / "c.png").exists()


def test_the_classes_are_listed(run):
    assert command(run, "--classes").splitlines()[2] == "  2  #466ec8  disc"


def test_what_cannot_be_meant_is_refused(run, tmp_path):
    with pytest.raises(UserError, match=r"say where to with --out"):
        command(run, tmp_path)
    with pytest.raises(UserError, match="nothing to paint"):
        command(run)
    with pytest.raises(UserError, match=r"none\.png is not there: name a picture"):
        command(run, tmp_path / "none.png", "--out", tmp_path / "a.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(UserError, match=r"text\.png cannot be read as a picture"):
        command(run, tmp_path / "text.png", "--out", tmp_path / "a.png")
    other = trained("gan/tiny", tmp_path / "gan")
    with pytest.raises(UserError, match=r"is gan, which paints no label maps"):
        Painter.load(other)
