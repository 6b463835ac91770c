"""Folders and archives of pictures: builders of the rows that `test_recognised.py` checks."""

from __future__ import annotations

import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from made_pictures import pack, picture, write_folder
from PIL import Image
from test_data_stream import png, write_shard

from zerosum.data.config import DataConfig
from zerosum.modalities.images import Images


@dataclass
class Case:
    """A place, and what must come of it.

    Attributes:
        path: As a user types it.
        classes: Names of the classes.
        train: Examples to learn from.
        held: Examples held out; without a part of its own, none are.
        options: More settings.
        config: Which kind of data.
        ask: Whether to ask which kind of data it is, as `--data` without a system does.
    """

    path: Path | str
    classes: tuple[str, ...] = ()
    train: int = 0
    held: int = 0
    options: dict[str, Any] | None = None
    config: type[DataConfig] = Images
    ask: bool = False


BUILDERS: dict[str, Callable[[Path, pytest.MonkeyPatch], Case]] = {}


def row(there: str):
    """Register the builder of a row by its first cell."""

    def keep(build):
        assert there not in BUILDERS
        BUILDERS[there] = build
        return build

    return keep


def two_classes(place):
    return write_folder(place, ["a/1.png", "b/1.png"])


def flat(place):
    return write_folder(place, [f"{number}.png" for number in range(4)])


@row("folders `a/` and `b/` of pictures, stored or packed")
def _(place, monkeypatch):
    packed = pack(two_classes(place), place.parent / "set.tar.gz")
    assert Images(path=str(packed)).open().train.classes == ("a", "b")
    return Case(place, ("a", "b"), 2)


@row("one folder of pictures")
def _(place, monkeypatch):
    return Case(write_folder(place, ["a/1.png", "a/2.png"]), (), 2)


@row("pictures beside the folders `a/` and `b/`")
def _(place, monkeypatch):
    return Case(write_folder(two_classes(place), ["loose.png"]), (), 3)


@row("folders `00000/` and `00001/`")
def _(place, monkeypatch):
    return Case(write_folder(place, ["00000/1.png", "00001/2.png"]), ("00000", "00001"), 2)


@row("`train/` beside `test/` or `val/`")
def _(place, monkeypatch):
    write_folder(place / "b", ["train/1.png", "val/2.png"])
    assert len(Images(path=str(place / "b")).open().heldout) == 1
    return Case(write_folder(place / "a", ["train/1.png", "test/2.png"]), (), 1, 1)


@row("`train/`, `test/`, `val/`")
def _(place, monkeypatch):
    return Case(write_folder(place, ["train/1.png", "test/2.png", "val/3.png"]), (), 1, 1)


@row("`train/` beside `plane/`")
def _(place, monkeypatch):
    return Case(write_folder(place, ["train/1.png", "plane/2.png"]), ("plane", "train"), 2)


@row("a class in `test/` alone")
def _(place, monkeypatch):
    names = ["train/a/1.png", "train/b/1.png", "test/a/2.png", "test/c/2.png"]
    return Case(write_folder(place, names), ("a", "b"), 2, 1)


@row("`test/` without classes beside `train/a/`, `train/b/`")
def _(place, monkeypatch):
    names = ["train/a/1.png", "train/a/2.png", "train/b/1.png", "train/b/2.png", "test/2.png"]
    return Case(write_folder(place, names), ("a", "b"), 3, 1, {"holdout": 0.1})


NUMBERED = [f"0000{number // 2}/{number}.png" for number in range(4)]


def stated(place, labels, names=NUMBERED):
    write_folder(place, NUMBERED)
    pairs = None if labels is None else list(zip(names, labels))
    (place / "dataset.json").write_text(json.dumps({"labels": pairs}))
    return place


@row("`dataset.json` of StyleGAN with labels")
def _(place, monkeypatch):
    return Case(stated(place, [6, 10, 6, 6]), ("6", "10"), 4)


@row('`dataset.json` with `"labels": null`')
def _(place, monkeypatch):
    return Case(stated(place, None), (), 4)


@row("`dataset.json` with one-hot lists")
def _(place, monkeypatch):
    return Case(stated(place, [[0, 1], [1, 0]] * 2), ("0", "1"), 4)


@row("`dataset.json` with other lists, or numbers that are not whole")
def _(place, monkeypatch):
    other = stated(place / "b", [0.5, 1, 2, 3])
    assert Images(path=str(other)).open().train.classes == ()
    return Case(stated(place / "a", [[0.2, 0.8]] * 4), (), 4)


@row("`dataset.json` that lacks a picture")
def _(place, monkeypatch):
    return Case(stated(place, [0, 1, 0]), (), 4)


@row("`dataset.json` that names a picture which is not there")
def _(place, monkeypatch):
    return Case(stated(place, [0, 1, 0, 1, 1], [*NUMBERED, "gone.png"]), ("0", "1"), 4)


@row("`dataset.json` with -1 for a picture to learn from")
def _(place, monkeypatch):
    return Case(stated(place, [0, 1, -1, 1]), (), 4)


@row("`dataset.json` of another kind")
def _(place, monkeypatch):
    (write_folder(place, ["a/1.png", "b/2.png"]) / "dataset.json").write_text("[1, 2]")
    return Case(place, ("a", "b"), 2)


@row("a broken `dataset.json`")
def _(place, monkeypatch):
    (flat(place) / "dataset.json").write_text('{"labels": [')
    return Case(place)


def beside(place, *names):
    for name in names:
        (place / name).write_text("{}")
    return Case(flat(place), (), 4)


@row("`labels.csv`, `metadata.jsonl`, `annotations.xml`, `class_names.txt` beside pictures")
def _(place, monkeypatch):
    return beside(place, "labels.csv", "metadata.jsonl", "annotations.xml", "class_names.txt")


@row("`1.txt` or `1.json` beside `1.png`")
def _(place, monkeypatch):
    return beside(place, "1.txt", "1.json")


@row("`.heic`, `.svg`, raw files of cameras, films")
def _(place, monkeypatch):
    return beside(place, "a.heic", "b.HEIC", "c.mp4")


@row("other files")
def _(place, monkeypatch):
    return beside(place, "Makefile", "about.md")


@row("hidden files and folders, `__MACOSX`")
def _(place, monkeypatch):
    write_folder(place, [".thumbs/1.png", "._0.png", "__MACOSX/0.png"])
    return Case(flat(place), (), 4)


@row("pipes, sockets, devices, whatever their name")
def _(place, monkeypatch):
    os.mkfifo(place / "x.png")
    return Case(flat(place), (), 4)


@row("a link to nothing")
def _(place, monkeypatch):
    (place / "gone.png").symlink_to("nowhere")
    return Case(flat(place), (), 4)


@row("a link to a folder that was visited")
def _(place, monkeypatch):
    (two_classes(place) / "c").symlink_to("a")
    return Case(place, ("a", "b"), 2)


@row("a folder that may not be entered")
def _(place, monkeypatch):
    write_folder(two_classes(place), ["c/1.png"])
    scan = os.scandir

    def refusing(path):  # whoever runs the tests may be allowed to enter everything
        if os.path.basename(path) == "c":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    return Case(place, ("a", "b"), 2)


@row("an empty folder")
def _(place, monkeypatch):
    (two_classes(place) / "c").mkdir()
    return Case(place, ("a", "b"), 2)


def run(folder):
    write_folder(folder, ["samples/seen_0.png"])
    for name in ("recipe.json", "codec.json"):
        (folder / name).write_text("{}")
    return folder


@row("the folder of a run")
def _(place, monkeypatch):
    run(place / "runs" / "first")
    return Case(flat(place), (), 4)


@row("an exported model")
def _(place, monkeypatch):
    write_folder(place, ["model/card.png"])
    for name in ("config.json", "codec.json", "model.safetensors"):
        (place / "model" / name).write_text("{}")
    return Case(flat(place), (), 4)


@row("the folder of `ZEROSUM_CACHE`")
def _(place, monkeypatch):
    monkeypatch.setenv("ZEROSUM_CACHE", str(place / "cache"))
    return Case(write_folder(flat(place), ["cache/1.png"]), (), 4)


def generated(place, out):
    split = Images(path=str(flat(place)), holdout=0).open()
    split.codec.write(split.train.finished(range(4)), out)


@row("pictures that `zerosum generate` wrote, among others")
def _(place, monkeypatch):
    generated(place, place / "sheet.png")
    return Case(place, (), 4)


@row("pictures that `zerosum generate` wrote, alone")
def _(place, monkeypatch):
    generated(place, place.parent / "made")
    return Case(place.parent / "made", (), 4)


@row("a run or an exported model itself")
def _(place, monkeypatch):
    return Case(run(place))


@row("an animation, or a file of several pages")
def _(place, monkeypatch):
    frames = [Image.new("L", (6, 6), level) for level in (0, 255)]
    frames[0].save(place / "a.gif", save_all=True, append_images=frames[1:])
    return Case(place, (), 1)


@row("a tar with one name twice")
def _(place, monkeypatch):
    write_shard(place / "set.tar", [("./a.png", png(1)), ("a.png", png(2))])
    return Case(place / "set.tar", (), 1)


@row("links inside a tar")
def _(place, monkeypatch):
    picture(0).save(place / "a.png")
    with tarfile.open(place / "set.tar", "w") as archive:
        archive.add(place / "a.png", "a.png")
        link = tarfile.TarInfo("b.png")
        link.type, link.linkname = tarfile.SYMTYPE, "a.png"
        archive.addfile(link)
    return Case(place / "set.tar", (), 1)


@row("names with `../`, `./`, `/` at the start, or with backslashes in a `.zip`")
def _(place, monkeypatch):
    write_shard(place / "set.tar", [("../a/1.png", png(1)), ("/b/1.png", png(2))])
    assert Images(path=str(place / "set.tar")).open().train.classes == ("a", "b")
    with zipfile.ZipFile(place / "set.zip", "w") as archive:
        for name in ("a\\1.png", "./b/1.png"):
            archive.writestr(name, png(1))
    return Case(place / "set.zip", ("a", "b"), 2)


@row("a class named in other bytes than UTF-8")
def _(place, monkeypatch):
    write_folder(place, ["tea/1.png", os.fsdecode(b"caf\xe9/1.png")])
    return Case(place, (r"caf\xe9", "tea"), 2)


@row("a folder with one archive or array file")
def _(place, monkeypatch):
    pack(flat(place.parent / "flat"), place / "set.zip")
    return Case(place, (), 4)


@row("a folder with several")
def _(place, monkeypatch):
    (place / "a.npz").touch()
    (place / "b.zip").touch()
    return Case(place)


@row("a folder of pictures and a table that is not about them")
def _(place, monkeypatch):
    pytest.importorskip("pandas")
    (flat(place) / "rows.csv").write_text("a,b\n1,2\n")
    return Case(place, ask=True)
