"""The report on a set: counts, faults, recommendations, the next command."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest
from made_pictures import pack, picture, write_folder
from PIL import Image

from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.modalities.images.inspect import inspect


@pytest.fixture
def messy(tmp_path):
    """Two classes, mixed sizes and modes, a twin, a flat picture, a broken file."""
    root = write_folder(tmp_path / "my set", ["a/1.png", "a/2.png"], size=(100, 150))
    write_folder(root, ["b/1.png"], size=(80, 90))
    picture(0, (100, 150)).convert("RGBA").save(root / "b" / "twin.png")
    Image.new("L", (150, 100), 7).save(root / "a" / "flat.png")
    picture(9, (100, 150), "RGBA").save(root / "a" / "clear.png")
    (root / "a" / "broken.png").write_bytes(b"junk")
    return root


def test_everything_is_found(messy):
    report = inspect(str(messy))
    assert (report.count, report.inspected) == (7, 7)
    assert report.train == 6 and report.heldout == 1
    assert report.sizes == {(100, 150): 5, (80, 90): 1}
    assert report.modes == {"RGB": 3, "RGBA": 2, "L": 1}
    assert report.channels == 3 and report.transparent == 1
    assert report.classes == {"a": 5, "b": 2}
    assert report.unreadable == {"a/broken.png": "not an image, or damaged"}
    assert report.constant == ("a/flat.png",)
    assert report.duplicates == (("a/1.png", "b/twin.png"),)
    assert report.size == (64, 64) and report.memory == 7 * 3 * 64 * 64
    for word in (
        "1 of 7 pictures cannot be read",
        "very few pictures (7)",
        "exact copies of other pictures: 1 (14.3%)",
        "pictures of nearly one colour: 1",
        "pictures have 2 sizes",
        "transparent pictures, laid over white: 1",
    ):
        assert any(word in line for line in report.warnings), word


def test_the_command_can_be_typed(messy):
    report = inspect(str(messy))
    words = shlex.split(report.command)
    assert words == [
        "zerosum", "train", "--data", str(messy), "data.size=64", "data.skip_bad=true",
    ]  # fmt: skip
    options = dict(word.removeprefix("data.").split("=") for word in words[4:])
    split = Images.model_validate({"path": str(messy), **options}).open()
    assert split.train.shapes["image"] == (3, 64, 64)


def test_json(messy):
    content = json.loads(json.dumps(inspect(str(messy)).to_dict()))
    assert content["sizes"] == {"100x150": 5, "80x90": 1}
    assert content["duplicates"] == [["a/1.png", "b/twin.png"]]


def test_a_clean_set_needs_no_options():
    report = inspect("digits")
    assert report.command == "zerosum train --data digits"
    assert report.size is None and report.channels == 1 and report.memory == 1797 * 64
    assert report.warnings == ("tiny pictures: the shortest side is 8 pixels",)
    assert sum(report.classes.values()) == 1797


def test_archives_and_arrays(messy, tmp_path):
    reference = inspect(str(messy)).to_dict()
    packed = inspect(str(pack(messy, tmp_path / "my set.zip"))).to_dict()
    differing = {key for key in reference if reference[key] != packed[key]}
    assert differing == {"path", "command"}
    grey = np.zeros((600, 16, 16), np.uint8)
    grey[:, 0] = np.arange(600)[:, None] % 256
    np.savez(tmp_path / "a.npz", images=grey, labels=np.arange(600) >= 590)
    report = inspect(str(tmp_path / "a.npz"))
    assert report.classes == {"False": 590, "True": 10}
    assert any("class False dominates: 590 of 600 (98%)" in line for line in report.warnings)
    assert sum(len(group) for group in report.duplicates) == 600


def test_uniform_large_sets_keep_their_proportions(tmp_path):
    report = inspect(str(write_folder(tmp_path, ["1.png", "2.png"], size=(128, 256))))
    assert report.size == (64, 128) and report.command.endswith("data.size=64x128")
    assert Images.model_validate({"path": ".", "size": "64x128"}).size == (64, 128)


def test_leaks_between_parts(tmp_path):
    root = write_folder(tmp_path, ["train/1.png", "train/2.png", "test/3.png"])
    picture(1).save(root / "test" / "4.png")
    report = inspect(str(root))
    assert report.leaked == ("test/4.png",)
    assert "held-out pictures that are also in the training part: 1" in report.warnings[1]


def test_small_pictures_among_large_are_said(tmp_path):
    names = [f"{i:02}.png" for i in range(11)]
    root = write_folder(tmp_path, names, size=(70, 70))
    picture(99, (20, 20)).save(root / "small.png")
    report = inspect(str(root))
    assert report.size == (64, 64)
    assert any("pictures below 64 are enlarged" in line for line in report.warnings)


def test_limit_looks_at_some():
    report = inspect("digits", limit=50)
    assert (report.count, report.inspected) == (1797, 50)
    assert sum(report.classes.values()) == 50


def test_shards(tmp_path):
    from test_data_stream import write_shards

    report = inspect(str(write_shards(tmp_path / "set", [5, 5])))
    assert report.count == 10 and report.classes == {"0": 4, "1": 3, "2": 3}
    assert len(report.constant) == 10


def test_nothing_to_inspect(tmp_path):
    (tmp_path / "a.png").write_bytes(b"junk")
    with pytest.raises(UserError, match="none of its 1 pictures can be read"):
        inspect(str(tmp_path))
    with pytest.raises(UserError, match="no file or folder"):
        inspect(str(tmp_path / "gone"))


@pytest.mark.parametrize("folders", ["AB", ("trainA", "trainB"), ("input", "image")])
def test_folders_that_may_be_pairs_are_no_guess(tmp_path, folders):
    root = write_folder(tmp_path, [f"{folder}/{n}.png" for folder in folders for n in range(2)])
    report = inspect(str(root))
    assert len(report.classes) == 2
    assert "if they are pairs, type  zerosum train pix2pix --data" in report.warnings[-1]
    (root / folders[0] / "1.png").rename(root / folders[0] / "other.png")
    assert not any("pairs" in line for line in inspect(str(root)).warnings)


def test_labels_of_the_command_line_are_those_of_a_training(tmp_path, capsys):
    """A dry run says how the data are read, as a training does."""
    from zerosum.cli.main import app

    root = write_folder(tmp_path, ["a/1.png", "a/2.png", "b/1.png", "c.heic.png"], size=(16, 16))
    (root / "c.heic.png").rename(root / "c.heic")
    words = ["train", "dcgan/tiny", "--data", str(root), "data.size=16", "--dry-run"]
    app([*words, "--device", "cpu"], standalone_mode=False)
    said = capsys.readouterr().err.splitlines()
    assert said == list(inspect(str(root)).notes) and "1 .heic (c.heic)" in said[0]
