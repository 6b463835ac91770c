"""Arrays, IDX, the hub, shards, pairs, rows: builders of rows that `test_recognised.py` checks."""

from __future__ import annotations

import json

import numpy as np
import pytest
from made_pictures import picture, write_folder, write_idx, write_mnist
from recognised_folders import Case, flat, row
from test_data_stream import png, write_shard, write_shards

from zerosum.modalities.images import Images, Pairs

PICTURES = np.stack([np.asarray(picture(number)) for number in range(4)])


def arrays(place, **named):
    np.savez(place / "set.npz", **named)
    return place / "set.npz"


@row("`images` and `labels` in an `.npz`")
def _(place, monkeypatch):
    return Case(arrays(place, images=PICTURES, labels=["b", "a"] * 2), ("a", "b"), 4)


@row("`y` as one-hot rows or whole floats")
def _(place, monkeypatch):
    hot = arrays(place, x=PICTURES, y=np.eye(2)[[0, 1, 0, 1]])
    assert Images(path=str(hot)).open().train.classes == ("0", "1")
    return Case(arrays(place, x=PICTURES, y=[3.0, 5.0] * 2), ("3", "5"), 4)


@row("`labels` that are neither whole numbers nor words")
def _(place, monkeypatch):
    return Case(arrays(place, images=PICTURES, labels=[0.5, 1, 2, 3]), (), 4)


@row("two arrays of labels that differ")
def _(place, monkeypatch):
    return Case(arrays(place, images=PICTURES, labels=[0, 1] * 2, y=[1, 0] * 2))


@row("two arrays of pictures")
def _(place, monkeypatch):
    return Case(arrays(place, foo=PICTURES, bar=PICTURES))


@row("other arrays")
def _(place, monkeypatch):
    return Case(arrays(place, images=PICTURES, masks=PICTURES[..., 0]), (), 4)


@row("an array of shape (48, 64, 3)")
def _(place, monkeypatch):
    np.save(place / "set.npy", np.zeros((48, 64, 3), np.uint8))
    return Case(place / "set.npy")


@row("floats in 0..1 or -1..1")
def _(place, monkeypatch):
    values = np.linspace(0, 1, 4 * 36, dtype=np.float32).reshape(4, 6, 6, 1)
    np.save(place / "set.npy", values)
    return Case(place / "set.npy", (), 4)


@row("whole numbers of 16 bits that end at 255")
def _(place, monkeypatch):
    np.save(place / "set.npy", PICTURES.astype(np.uint16))
    return Case(place / "set.npy")


@row("IDX files of MNIST's names")
def _(place, monkeypatch):
    write_mnist(place)
    return Case(place, tuple("0123456789"), 12, 5)


@row("several sets of IDX files")
def _(place, monkeypatch):
    for word in ("letters", "digits"):
        write_idx(place / f"emnist-{word}-train-images-idx3-ubyte", np.zeros((2, 8, 8)))
    return Case(place)


@row("an IDX file of labels for other pictures")
def _(place, monkeypatch):
    write_idx(place / "train-images-idx3-ubyte", np.zeros((4, 8, 8)))
    write_idx(place / "train-labels-idx1-ubyte", np.arange(3))
    return Case(place, (), 4)


def hub(place, monkeypatch, columns, **parts):
    """A set of the hub's library on the disk: columns by name, rows of values by part."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", place / "cache")
    kinds = {
        "image": datasets.Image(),
        "class": datasets.ClassLabel(names=["cat", "dog"]),
        "int64": datasets.Value("int64"),
        "string": datasets.Value("string"),
    }
    features = datasets.Features({name: kinds[kind] for name, kind in columns.items()})
    made = {
        part: datasets.Dataset.from_dict(dict(zip(columns, zip(*rows))), features=features)
        for part, rows in parts.items()
    }
    datasets.DatasetDict(made).save_to_disk(str(place / "saved"))
    return f"hf:{place}/saved"


@row("`hf:` with a column of labels: classes, words, whole numbers")
def _(place, monkeypatch):
    columns = {"image": "image", "label": "string", "id": "int64"}
    rows = [(picture(number), "ab"[number % 2], number) for number in range(4)]
    return Case(hub(place, monkeypatch, columns, train=rows), ("a", "b"), 4)


@row("`hf:` with a test part without labels")
def _(place, monkeypatch):
    rows = [(picture(number), number % 2) for number in range(5)]
    bare = [(picture(number), -1) for number in range(2)]
    path = hub(place, monkeypatch, {"image": "image", "label": "class"}, train=rows, test=bare)
    return Case(path, ("cat", "dog"), 4, 1, {"holdout": 0.1})


@row("`hf:` with several columns of pictures")
def _(place, monkeypatch):
    rows = [(picture(0), picture(1))]
    return Case(hub(place, monkeypatch, {"left": "image", "right": "image"}, train=rows))


@row("`hf:` with several columns of labels")
def _(place, monkeypatch):
    columns = {"image": "image", "fine": "class", "coarse": "class"}
    return Case(hub(place, monkeypatch, columns, train=[(picture(0), 0, 1)]))


@row("tar shards with `.cls` or `.json` labels")
def _(place, monkeypatch):
    write_shards(place / "b", [2, 2], lambda n: json.dumps({"label": "ab"[n % 2]}), "json")
    assert Images(path=str(place / "b")).open().train.classes == ("a", "b")
    return Case(write_shards(place / "a", [2, 2], lambda n: "37"[n % 2]), ("3", "7"), 4)


@row("`classes.txt` beside shards")
def _(place, monkeypatch):
    (write_shards(place, [2, 2], lambda n: f"{n % 2}") / "classes.txt").write_text("ant\nbee\n")
    return Case(place, ("ant", "bee"), 4)


@row("`labels.txt` or the like beside shards")
def _(place, monkeypatch):
    (write_shards(place, [2, 2], lambda n: f"{n % 2}") / "labels.txt").write_text("ant\nbee\n")
    return Case(place, ("0", "1"), 4)


def shards(place, *suffixes):
    for number in range(2):
        members = [(f"{n}.{suffix}", png(n)) for n in range(2) for suffix in suffixes]
        write_shard(place / f"{number}.tar", members)
    return Case(place, (), 4)


@row("shards with masks, texts and other members")
def _(place, monkeypatch):
    return shards(place, "png", "mask.png", "txt")


@row("shards with two pictures of one key")
def _(place, monkeypatch):
    return shards(place, "jpg", "png")


# -- pairs and rows --------------------------------------------------------------------------


@row("pairs: folders A and B, and pictures elsewhere")
def _(place, monkeypatch):
    return Case(write_folder(place, ["A/1.png", "B/1.png", "cover.png"]), (), 1, config=Pairs)


@row("pairs: a picture without partner")
def _(place, monkeypatch):
    return Case(write_folder(place, ["A/1.png", "B/1.png", "A/2.png"]), config=Pairs)


@row("pairs: pictures in no folder A or B")
def _(place, monkeypatch):
    return Case(flat(place), (), 4, config=Pairs)


def table():
    pytest.importorskip("pandas")
    from zerosum.modalities.tables import Table

    return Table


@row("rows: a folder with one table")
def _(place, monkeypatch):
    (place / "rows.csv").write_text("a,b\n" + "".join(f"{n % 7},{n % 2}x\n" for n in range(20)))
    (place / "about.md").touch()
    return Case(place, (), 20, config=table())


@row("rows: a folder with several tables")
def _(place, monkeypatch):
    for name in ("a.csv", "b.csv"):
        (place / name).write_text("a,b\n1,2\n")
    return Case(place, config=table())
