"""Which kind of data a path is, and what sampling can be asked for on the command line."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

import zerosum
from zerosum.cli.main import app
from zerosum.errors import UserError
from zerosum.pipelines.generate import Generator
from zerosum.pipelines.reading import kind_of


def test_one_reading_is_taken(tmp_path):
    (tmp_path / "people.csv").write_text("age,job\n31,smith\n45,baker\n")
    (tmp_path / "photos").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "photos" / "a.png")
    assert kind_of(str(tmp_path / "people.csv")).name == "tables"
    assert kind_of(str(tmp_path / "photos")).name == "images"
    assert kind_of("ring").name == "points"
    assert kind_of("digits").name == "images"


def test_two_readings_are_a_question_that_says_how_to_answer(tmp_path):
    pytest.importorskip("rdkit")
    path = tmp_path / "drugs.csv"
    path.write_text("smiles,solubility\nCCO,1.1\nCCN,0.9\nc1ccccc1,-2.1\n")
    with pytest.raises(UserError) as caught:
        kind_of(str(path))
    for words in ("train molgan", "train ctgan", "--as tables", "--as molecules"):
        assert words in str(caught.value)
    assert kind_of(str(path), "molecules").name == "molecules"
    with pytest.raises(UserError, match=r"--as molecule: did you mean molecules\?"):
        kind_of(str(path), "molecule")


def test_nobodys_path_is_refused_in_the_words_of_pictures(tmp_path):
    (tmp_path / "notes.doc").write_text("words")
    with pytest.raises(UserError, match="holds no image files"):
        kind_of(str(tmp_path)).inspect(str(tmp_path))


@pytest.fixture(scope="module")
def coded(tmp_path_factory):
    """An InfoGAN, whose code nobody names but a command line can reach."""
    folder = tmp_path_factory.mktemp("runs") / "infogan"
    recipe = zerosum.recipe("infogan/tiny").override({"train.examples": 160})
    zerosum.train(recipe.override({"evaluate.samples": 0}), out=folder, quiet=True)
    return folder


def test_any_condition_can_be_given_by_name(coded, tmp_path):
    out = tmp_path / "s.npz"
    words = ["generate", str(coded), "-n", "6", "--out", str(out), "--condition"]
    ended = CliRunner().invoke(app, [*words, "category=3,1"])
    assert ended.exit_code == 0, ended.output
    wanted = Generator.load(coded).draw(6, category=[3, 1, 3, 1, 3, 1])
    pixels = ((wanted["image"][:, 0].numpy() + 1) * 127.5).round().clip(0, 255)
    assert np.array_equal(np.load(out)["images"][..., 0], pixels.astype(np.uint8))
    for bad, said in (
        ("categori=1", "takes category"),
        ("category=99", "no class 99"),
        ("x", "NAME=VALUE"),
    ):
        ended = CliRunner().invoke(app, [*words, bad])
        assert ended.exit_code != 0 and said in str(ended.exception or ended.output)


def test_settings_of_sampling_are_the_models_own(tmp_path):
    folder = tmp_path / "flow"
    recipe = zerosum.recipe("realnvp/tiny").override({"train.examples": 160})
    zerosum.train(recipe.override({"evaluate.samples": 0}), out=folder, quiet=True)
    flow = Generator.load(folder)
    still = flow.draw(3, options={"temperature": 0})["image"]
    assert (still[0] == still[1]).all() and (still[0] == still[2]).all()
    assert (flow.draw(3)["image"][0] != flow.draw(3)["image"][1]).any()
    with pytest.raises(UserError, match="unknown setting 'truncation': known: temperature"):
        flow.draw(3, options={"truncation": 0.5})
