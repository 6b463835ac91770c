"""Sets in the formats of the Hugging Face hub, from local folders."""

from __future__ import annotations

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


def test_unlabelled_parts_give_no_labels(tmp_path):
    test = made(range(2)).map(lambda row: {"kind": -1})
    datasets.DatasetDict({"train": made(range(3)), "test": test}).save_to_disk(str(tmp_path / "s"))
    source = Images(path=f"hf:{tmp_path}/s").open().train
    assert source.classes == () and source.notes == ("no labels: some samples have none (-1)",)


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
