"""Sets in the formats of the Hugging Face hub, from local folders."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
import torch
from made_pictures import picture, write_folder

from zerosum.data.feed import Feed
from zerosum.errors import UserError
from zerosum.modalities.images import Images

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def made(numbers, names=("cat", "dog")):
    features = datasets.Features(
        {"id": datasets.Value("int64"), "img": datasets.Image()}
        | {"kind": datasets.ClassLabel(names=list(names))}
    )
    rows = {
        "id": list(numbers),
        "img": [picture(n) for n in numbers],
        "kind": [n % 2 for n in numbers],
    }
    return datasets.Dataset.from_dict(rows, features=features)


def pixels(source):
    return source.fetch(range(len(source)))["image"].numpy()


def expected(numbers):
    return np.stack([np.asarray(picture(n)).transpose(2, 0, 1) for n in numbers])


def test_a_saved_dictionary_has_its_own_parts(tmp_path):
    parts = datasets.DatasetDict({"train": made(range(5)), "validation": made(range(5, 8))})
    parts.save_to_disk(str(tmp_path / "saved"))
    split = Images(path=f"hf:{tmp_path}/saved").open()
    assert split.heldout is not None
    assert np.array_equal(pixels(split.train), expected(range(5)))
    assert np.array_equal(pixels(split.heldout), expected(range(5, 8)))
    assert split.train.classes == ("cat", "dog")
    assert split.train.fetch(range(5))["label"].tolist() == [0, 1, 0, 1, 0]
    assert split.heldout.fetch(range(3))["label"].tolist() == [1, 0, 1]
    assert split.heldout_note == "the set's own validation part (3)"
    one = Images(path=f"hf:{tmp_path}/saved:validation", holdout=0).open()
    assert np.array_equal(pixels(one.train), expected(range(5, 8)))
    with pytest.raises(UserError, match=r"has no split tst: known: train, validation"):
        Images(path=f"hf:{tmp_path}/saved:tst").open()


def test_parquet_on_demand_with_a_worker(tmp_path):
    made(range(6)).to_parquet(str(tmp_path / "p" / "train.parquet"))
    source = Images(path=f"hf:{tmp_path}/p", holdout=0, memory=0).open().train
    assert not source.in_memory
    assert np.array_equal(pixels(source), expected(range(6)))
    ahead, here = Feed(source, batch=4, workers=1), Feed(source, batch=4)
    assert torch.equal(next(ahead)["image"], next(here)["image"])
    ahead.close()


def test_image_folder(tmp_path):
    write_folder(tmp_path / "f", [f"train/{kind}/1.png" for kind in ("cat", "dog")])
    source = Images(path=f"hf:{tmp_path}/f", holdout=0).open().train
    assert source.classes == ("cat", "dog")
    assert np.array_equal(pixels(source), expected(range(2)))


def test_a_part_without_labels_is_not_kept_aside_for_one_with_labels(tmp_path):
    parts = {"train": made(range(30)), "test": made(range(30, 32)).map(lambda row: {"kind": -1})}
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "s"))
    split = Images(path=f"hf:{tmp_path}/s").open()
    assert split.train.classes == ("cat", "dog")
    assert split.heldout_note == "10 % (3 of 30), seed 0"
    assert "test: labels not used: 2 of 2 are missing in kind" in split.train.notes
    parts["validation"] = made(range(40, 43))
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "v"))
    split = Images(path=f"hf:{tmp_path}/v").open()
    assert split.heldout_note == "the set's own validation part (3)"
    assert any("parts left out: test (" in note for note in split.train.notes)
    assert split.heldout.fetch(range(3))["label"].tolist() == [0, 1, 0]


def column(tmp_path, values, kind, key="label"):
    features = datasets.Features({"image": datasets.Image(), key: kind})
    rows = {"image": [picture(n) for n in range(len(values))], key: values}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "c"))
    return Images(path=f"hf:{tmp_path}/c", holdout=0).open().train


@pytest.mark.parametrize(
    ("values", "kind", "classes"),
    [
        (["dog", "cat", "dog"], "string", ("cat", "dog")),
        ([7, 5, 7], "int64", ("5", "7")),
        ([2.0, 1.0, 2.0], "float32", ("1", "2")),
        ([True, False, True], "bool", ("False", "True")),
    ],
)
def test_plain_columns_of_labels(tmp_path, values, kind, classes):
    train = column(tmp_path, values, datasets.Value(kind))
    assert train.classes == classes
    assert train.fetch(range(3))["label"].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("values", "kind", "why"),
    [
        (["dog", None, "cat"], "string", "1 of 3 are missing in label"),
        ([0.5, 1.0, 2.0], "float32", "label holds 0.5, which is no class"),
        (["dog", "dog", "dog"], "string", r"all are of one class \(dog\)"),
    ],
)
def test_labels_that_cannot_be_used_are_named(tmp_path, values, kind, why):
    train = column(tmp_path, values, datasets.Value(kind))
    assert train.classes == ()
    assert re.search(f"labels not used: {why}", " | ".join(train.notes))


def test_classes_that_nobody_learns_are_left_out(tmp_path):
    kind = datasets.ClassLabel(names=["eel", "dog", "cat"])
    train = column(tmp_path, [2, 0, 2], kind)
    assert train.classes == ("eel", "cat") and train.fetch(range(3))["label"].tolist() == [1, 0, 1]
    assert "classes that no training picture has, left out: dog" in train.notes


def test_an_empty_cell_is_an_unreadable_picture(tmp_path):
    features = datasets.Features({"image": datasets.Image()})
    rows = {"image": [picture(0), None, picture(2)]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "e"))
    path = f"hf:{tmp_path}/e"
    with pytest.raises(UserError, match=r"e\[1\] cannot be read \(its cell in the column image"):
        Images(path=path).open()
    assert len(Images(path=path, holdout=0, skip_bad=True).open().train) == 2


def test_of_several_image_columns_the_usual_name_or_a_question(tmp_path):
    def save(name, *columns):
        features = datasets.Features(dict.fromkeys(columns, datasets.Image()))
        rows = {key: [picture(10 * k + n) for n in range(2)] for k, key in enumerate(columns)}
        datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / name))
        return f"hf:{tmp_path}/{name}"

    train = Images(path=save("mask", "mask", "image"), holdout=0).open().train
    assert np.array_equal(pixels(train), expected([10, 11]))
    assert train.notes == ("pictures are the column image; columns left out: mask",)
    path = save("views", "left", "right")
    with pytest.raises(UserError, match=r"several image columns \(left, right\): .*views#right"):
        Images(path=path).open()
    train = Images(path=f"{path}#left", holdout=0).open().train
    assert np.array_equal(pixels(train), expected([0, 1]))
    with pytest.raises(UserError, match="has no image column middle: known: left, right"):
        Images(path=f"{path}#middle").open()


def test_of_several_columns_of_labels_one_is_chosen(tmp_path):
    kinds = {"fine": ["a", "b"], "coarse": ["x", "y"]}
    features = {key: datasets.ClassLabel(names=names) for key, names in kinds.items()}
    features["img"] = datasets.Image()
    rows = {"fine": [0, 1], "coarse": [1, 0], "img": [picture(0), picture(1)]}
    made = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
    made.save_to_disk(str(tmp_path / "two"))
    path = f"hf:{tmp_path}/two"
    with pytest.raises(UserError, match=r"columns of labels \(fine, coarse\): .*#img,fine"):
        Images(path=path).open()
    train = Images(path=f"{path}#img,coarse", holdout=0).open().train
    assert train.classes == ("x", "y") and train.fetch(range(2))["label"].tolist() == [1, 0]


def test_no_image_column(tmp_path):
    datasets.Dataset.from_dict({"a": [1]}).save_to_disk(str(tmp_path / "s"))
    with pytest.raises(UserError, match="has no image column: its columns are a"):
        Images(path=f"hf:{tmp_path}/s").open()


def test_unreachable_set():
    with pytest.raises(
        UserError, match=r"^hf:no/such cannot be loaded \(.*\): check name and"
    ) as e:
        Images(path="hf:no/such").open()
    assert "\n" not in str(e.value)


def test_missing_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"pip install 'zerosum\[hf\]'"):
        Images(path="hf:org/name").open()
