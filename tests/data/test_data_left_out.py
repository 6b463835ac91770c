"""Nothing in a place vanishes in silence: what is not used is counted, named and noted."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from made_pictures import pack, write_folder
from PIL import Image

from zerosum.core.registry import recipe as find_recipe
from zerosum.data.walking import LeftOut, walk
from zerosum.errors import UserError
from zerosum.modalities.images import Images, Pairs
from zerosum.modalities.images.inspect import inspect
from zerosum.training.trainer import Trainer


@pytest.fixture
def photos(tmp_path):
    return write_folder(tmp_path / "photos", [f"{number}.png" for number in range(4)])


def opened(path, **options):
    return Images(path=str(path), holdout=0, **options).open().train


def same_notes(path):
    """The notes of a set, which `inspect` and a training give alike."""
    found = inspect(str(path))
    source = opened(path, size=8)
    assert found.notes == source.notes
    assert found.count == len(source)
    return found.notes


def test_kinds_that_are_not_read_are_counted(photos):
    for name in ("a.HEIC", "b.heic", "c.mp4", "notes.txt", "Makefile"):
        (photos / name).write_bytes(b"x")
    assert same_notes(photos) == (
        "pictures and films of kinds that are not read left out: 2 .heic, 1 .mp4 (a.HEIC, ...); "
        "convert them to .png or .jpg",
        "files of other kinds left out: 1 without suffix, 1 .txt (Makefile, ...)",
    )


def test_only_kinds_that_are_not_read_is_an_error_that_counts_them(tmp_path):
    (tmp_path / "a.heic").touch()
    (tmp_path / ".b.png").touch()
    with pytest.raises(UserError, match=r"found 1 \.heic; hidden files left out: 1 \(\.b\.png\)"):
        opened(tmp_path)


@pytest.mark.parametrize("suffix", ["", ".zip", ".tar", ".tar.gz"])
def test_files_that_look_like_labels_are_named(photos, tmp_path, suffix):
    (photos / "labels.csv").write_text("0.png,cat\n")
    (photos / "annotations.json").write_text("{}")
    (photos / "class_names.txt").write_text("cat")
    (photos / "1.txt").write_text("a caption")
    place = pack(photos, tmp_path / f"p{suffix}") if suffix else photos
    assert same_notes(place) == (
        "files named like pictures are not used as labels: 1 .txt (1.txt)",
        "files that look like labels are not used: 3 "
        "(annotations.json, class_names.txt, labels.csv)",
    )


def test_hidden_files_and_folders_are_named(photos):
    write_folder(photos, [".thumbs/1.png", "._0.png", "__MACOSX/0.png"])
    assert same_notes(photos) == (
        "hidden folders left out: 1 (.thumbs)",
        "hidden files left out: 2 (._0.png, __MACOSX/0.png)",
    )


def test_pipes_sockets_and_broken_links_are_passed_over(photos):
    for name in ("x.png", "dataset.json", "set.zip", "labels.npy"):
        os.mkfifo(photos / name)
    here = os.getcwd()
    os.chdir(photos)  # the path of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as open_socket:
            open_socket.bind("s.png")
    finally:
        os.chdir(here)
    (photos / "gone.png").symlink_to("nowhere.png")
    assert same_notes(photos) == (
        "pipes, sockets and devices left out: 5 (dataset.json, labels.npy, s.png, ...)",
        "links that lead nowhere left out: 1 (gone.png)",
    )


@pytest.mark.parametrize(
    "name",
    ["set.zip", "set"]
    + [
        pytest.param(f"set.{kind}", marks=pytest.mark.slow)
        for kind in ("tar", "npy", "csv", "smi")
    ],
)
def test_a_pipe_in_the_place_of_a_set_is_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    code = (
        "import sys; from zerosum.cli.main import main; "
        f"sys.argv[1:] = ['inspect', {str(tmp_path / name)!r}]; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert f"{name} is a pipe, socket or device" in done.stderr


def test_a_folder_of_one_array_does_not_wait_for_a_pipe_beside_it(photos, tmp_path):
    outer = tmp_path / "outer"
    outer.mkdir()
    pack(photos, outer / "set.zip")
    os.mkfifo(outer / "other.npz")
    assert same_notes(outer) == (
        "the set is set.zip",
        "pipes, sockets and devices left out: 1 (other.npz)",
    )


def test_empty_class_folders_and_folders_seen_twice_are_named(tmp_path):
    root = write_folder(tmp_path / "set", ["a/1.png", "b/1.png"])
    (root / "c").mkdir()
    (root / "d").symlink_to("a")
    assert same_notes(root) == (
        "links to folders that were seen before left out: 1 (d)",
        "empty folders left out: 1 (c)",
        "labels are the folders: a, b",
    )
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.mkdir("c")
        for name in ("a/1.png", "b/1.png"):
            archive.write(root / name, name)
    assert same_notes(tmp_path / "set.zip")[0] == "empty folders left out: 1 (c)"


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_folders_that_may_not_be_entered_are_named(tmp_path, monkeypatch):
    root = write_folder(tmp_path / "set", ["a/1.png", "b/1.png", "c/1.png"])
    real = os.scandir

    def refusing(path):  # whoever runs the tests may be allowed to enter everything
        if os.path.basename(path) in refused:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refusing)
    refused = {"b"}
    assert same_notes(root) == (
        "folders that may not be entered (Permission denied) left out: 1 (b)",
        "labels are the folders: a, c",
    )
    refused = {"set"}
    with pytest.raises(UserError, match=r"set cannot be entered \(Permission denied\): change"):
        opened(root)


def test_the_order_of_a_walk_is_files_first_then_folders(tmp_path):
    write_folder(tmp_path, ["z.png", "b/2.png", "b/a/1.png", "a.png", "b.d/3.png"])
    assert list(walk(tmp_path, LeftOut())) == [
        "a.png", "z.png", "b/2.png", "b/a/1.png", "b.d/3.png",
    ]  # fmt: skip


# -- what zerosum itself wrote ---------------------------------------------------------------


def write_run(folder):
    """What the folder of a run holds, as far as pictures go."""
    write_folder(folder, ["samples/seen_0000000000.png", "samples.png"])
    for name in ("recipe.json", "codec.json"):
        (folder / name).write_text("{}")


def write_model(folder):
    """An exported model."""
    write_folder(folder, ["card.png"])
    for name in ("config.json", "codec.json", "model.safetensors"):
        (folder / name).write_text("{}")


@pytest.mark.parametrize("suffix", ["", ".zip", ".tar.gz"])
def test_runs_and_models_among_the_data_are_left_out(photos, tmp_path, suffix):
    write_run(photos / "runs" / "first")
    write_model(photos / "model")
    place = pack(photos, tmp_path / f"p{suffix}") if suffix else photos
    assert sorted(same_notes(place)) == [
        "exported models of zerosum left out: 1 (model)",
        "runs of zerosum left out: 1 (runs/first)",
    ]
    assert len(opened(place)) == 4


def test_a_recipe_alone_is_no_run(photos):
    write_folder(photos, ["cakes/1.png"])
    (photos / "cakes" / "recipe.json").write_text("{}")
    assert len(opened(photos)) == 5


def test_a_run_is_no_set_but_its_sheets_are(tmp_path):
    write_run(tmp_path / "run")
    with pytest.raises(UserError, match=r"is a folder that zerosum wrote \(run\), not a set"):
        opened(tmp_path / "run")
    assert len(opened(tmp_path / "run" / "samples")) == 1


def test_shards_and_archives_are_found_beside_a_run(photos, tmp_path):
    outer = tmp_path / "outer"
    write_run(outer / "runs" / "first")
    pack(photos, outer / "a.tar")
    assert len(opened(outer)) == 4
    assert same_notes(outer) == ("the set is a.tar", "runs of zerosum left out: 1 (runs/first)")
    pack(photos, outer / "b.tar")
    stream = Images(path=str(outer), holdout=0).open().train
    assert "runs of zerosum left out: 1 (runs/first)" in stream.notes


def test_the_cache_among_the_data_is_left_out(photos, monkeypatch):
    write_folder(photos, ["cache/1.png"])
    monkeypatch.setenv("ZEROSUM_CACHE", str(photos / "cache"))
    assert same_notes(photos) == ("caches of zerosum left out: 1 (cache)",)


def test_generated_pictures_are_no_data_but_a_set_of_their_own(photos):
    codec = Images(path=str(photos), holdout=0).open().codec
    batch = opened(photos).finished(range(4))
    codec.write(batch, photos / "sheet.png")
    codec.write(batch, photos / "made")
    assert same_notes(photos) == (
        "pictures that zerosum generated left out: 5 (sheet.png, made/0.png, made/1.png, ...)",
    )
    assert len(opened(photos / "made")) == 4
    assert same_notes(photos / "made") == ()


# -- what is in the files --------------------------------------------------------------------


@pytest.mark.parametrize("memory", [2.0, 0.0])
@pytest.mark.parametrize("options", [{}, {"size": 4, "channels": 1}])
def test_first_pages_are_said(tmp_path, memory, options):
    pages = [Image.new("L", (4, 4), level) for level in (0, 255)]
    for name in ("a.gif", "b.tif", "c.webp"):
        pages[0].save(tmp_path / name, save_all=True, append_images=pages[1:])
    for name in ("d.gif", "e.tif", "f.png"):
        pages[0].save(tmp_path / name)
    note = (
        "files of several frames or pages, of which the first is taken: 3 (a.gif, b.tif, c.webp)"
    )
    assert opened(tmp_path, memory=memory, **options).notes == (note,)
    assert inspect(str(tmp_path)).notes == (note,)


def test_a_set_that_cannot_be_read_says_why(tmp_path):
    Image.new("F", (4, 4), 200.0).save(tmp_path / "a.tif")
    why = r"such as a\.tif: float pixels must lie in 0\.\.1, found 200\.\.200: rescale them"
    with pytest.raises(UserError, match=why):
        opened(tmp_path, skip_bad=True)
    with pytest.raises(UserError, match=why):
        inspect(str(tmp_path))


def test_a_picture_too_large_to_decode_says_how_large_it_may_be(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    Image.new("1", (2000, 2000)).save(tmp_path / "a.tif")
    with pytest.raises(UserError, match=r"a\.tif cannot be read \(more than 2 million pixels"):
        opened(tmp_path)


# -- parts and pairs -------------------------------------------------------------------------


def test_a_class_of_the_test_part_alone_is_left_out_of_it(tmp_path):
    write_folder(tmp_path, ["train/a/1.png", "train/b/1.png", "test/a/2.png", "test/c/2.png"])
    split = Images(path=str(tmp_path)).open()
    assert split.train.classes == ("a", "b") and len(split.heldout) == 1
    assert split.train.notes == (
        "labels are the folders: a, b",
        "held-out pictures of no class of the training part, left out: 1 of 2",
    )


def test_a_test_part_without_labels_leaves_those_of_the_training_part(tmp_path):
    write_folder(tmp_path, ["train/a/1.png", "train/a/2.png", "train/b/1.png", "test/1.png"])
    split = Images(path=str(tmp_path)).open()
    assert split.train.classes == ("a", "b") and split.heldout_note.startswith("10 % (1 of 3)")
    assert split.train.notes[-1].endswith("of the training part, left out: 1 of 1")


def test_a_training_folder_without_counterpart_is_said_to_be_a_class(tmp_path):
    write_folder(tmp_path, ["train/1.png", "plane/1.png"])
    source = opened(tmp_path)
    assert source.classes == ("plane", "train")
    assert source.notes[1] == "train/ is a folder like others: it has no counterpart beside it"


def test_pairs_say_what_they_leave_out(tmp_path):
    names = [f"{part}{side}/1.png" for part in ("train", "val", "test") for side in "AB"]
    write_folder(tmp_path, [*names, "cover.png"])
    (tmp_path / "a.heic").touch()
    write_run(tmp_path / "runs" / "first")
    source = Pairs(path=str(tmp_path)).open().train
    assert len(source) == 1
    assert source.notes == (
        "runs of zerosum left out: 1 (runs/first)",
        "pictures and films of kinds that are not read left out: 1 .heic (a.heic); "
        "convert them to .png or .jpg",
        "pictures outside the folders A and B are left out: 1 (cover.png)",
        "pairs outside the training and the test part are left out: 1",
    )


def test_a_run_among_its_own_data_goes_on_and_keeps_its_notes(photos, monkeypatch):
    monkeypatch.chdir(photos)
    (photos / "a.heic").touch()
    recipe = find_recipe("dcgan/tiny").with_data(".")
    small = {"data.size": 16, "train.examples": 32, "evaluate.samples": 0}
    Trainer(recipe.override(small), "runs/first", device="cpu", quiet=True).fit()
    again = recipe.override({**small, "train.examples": 64})
    Trainer(again, "runs/first", device="cpu", quiet=True).fit()
    assert json.loads(Path("runs/first/recipe.json").read_text())["facts"]["samples"] == 3
    assert Path("runs/first/notes.txt").read_text().splitlines() == [
        "runs of zerosum left out: 1 (runs/first)",
        "pictures and films of kinds that are not read left out: 1 .heic (a.heic); "
        "convert them to .png or .jpg",
    ]
