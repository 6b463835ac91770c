"""IDX files of one's own: found by name, with their labels and parts, damaged ones named."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from made_pictures import write_idx, write_mnist

from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.modalities.images.containers import container
from zerosum.modalities.images.idx_sets import is_idx


def everything(source):
    return source.fetch(range(len(source)))


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_of_idx_files(tmp_path, suffix):
    pixels, labels = write_mnist(tmp_path / "kmnist", suffix=suffix)
    split = Images(path=str(tmp_path / "kmnist")).open()
    assert np.array_equal(everything(split.train)["image"][:, 0], pixels[:12])
    assert np.array_equal(everything(split.train)["label"], labels[:12])
    assert np.array_equal(everything(split.heldout)["image"][:, 0], pixels[12:])
    assert split.heldout_note == "the set's own t10k part (5)"
    assert split.train.name == "kmnist/train" and split.train.notes == ()


def test_both_packed_and_unpacked(tmp_path):
    write_mnist(tmp_path)
    pixels, _ = write_mnist(tmp_path, suffix="")
    assert np.array_equal(
        everything(Images(path=str(tmp_path)).open().train)["image"][:, 0], pixels[:12]
    )


def test_one_file_takes_the_labels_beside_it(tmp_path):
    pixels, labels = write_mnist(tmp_path)
    path = tmp_path / "t10k-images-idx3-ubyte.gz"
    train = Images(path=str(path), holdout=0).open().train
    assert np.array_equal(everything(train)["image"][:, 0], pixels[12:])
    assert train.classes == tuple(str(n) for n in sorted(set(labels[12:].tolist())))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    assert Images(path=str(path)).open().train.classes == ()
    with pytest.raises(UserError, match="holds labels: name the file of pictures"):
        container(str(tmp_path / "train-labels-idx1-ubyte.gz"))


def test_several_sets_are_a_question(tmp_path):
    for word in ("letters", "digits"):
        write_idx(tmp_path / f"emnist-{word}-train-images-idx3-ubyte", np.zeros((2, 8, 8)))
    with pytest.raises(UserError, match="several sets of IDX files, name one of them: emnist-dig"):
        Images(path=str(tmp_path)).open()
    one = tmp_path / "emnist-letters-train-images-idx3-ubyte"
    assert len(Images(path=str(one), holdout=0).open().train) == 2


def test_labels_that_do_not_fit_are_named(tmp_path):
    write_idx(tmp_path / "train-images-idx3-ubyte", np.zeros((4, 8, 8)))
    write_idx(tmp_path / "train-labels-idx1-ubyte", np.arange(3))
    write_idx(tmp_path / "val-labels-idx1-ubyte", np.arange(3))
    notes = Images(path=str(tmp_path)).open().train.notes
    assert notes == (
        "labels not used: val-labels-idx1-ubyte is named like no pictures that are read",
        "labels not used: train-labels-idx1-ubyte holds 3 values for 4 pictures",
    )


def test_other_types_of_values(tmp_path):
    head = b"\0\0\x0d\x03" + struct.pack(">III", 2, 8, 8)
    values = np.linspace(0, 1, 128, dtype=">f4")
    (tmp_path / "a.idx").write_bytes(head + values.tobytes())
    write_idx(tmp_path / "labels.idx", np.arange(2))
    train = Images(path=str(tmp_path / "a.idx"), holdout=0).open().train
    assert everything(train)["image"].flatten().tolist()[::127] == [0, 255]
    assert train.notes == ("float32 pixels taken as 0..1 (found 0..1)",)


GOOD = b"\0\0\x08\x03" + struct.pack(">III", 2, 8, 8) + bytes(128)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        GOOD[:10],
        GOOD[:-1],
        GOOD + b"x",
        b"\0\0\x07" + GOOD[3:],
        b"\0\0\x08\x00" + GOOD[4:],
        b"\0\0\x08\xff" + bytes(4 * 255),
        gzip.compress(GOOD, mtime=0)[:-9],
        gzip.compress(GOOD + b"x", mtime=0),
        gzip.compress(GOOD[:-1], mtime=0),
    ],
)
def test_damaged_files_are_named(tmp_path, content):
    (tmp_path / "a-idx3-ubyte").write_bytes(content)
    with pytest.raises(UserError, match="a-idx3-ubyte cannot be read"):
        Images(path=str(tmp_path)).open()


def test_a_small_file_of_a_huge_array(tmp_path):
    head = b"\0\0\x08\x03" + struct.pack(">III", 2**32 - 1, 2**16, 2**16)
    (tmp_path / "a-idx3-ubyte.gz").write_bytes(gzip.compress(head, mtime=0))
    with pytest.raises(UserError, match=r"is compressed and takes 17,.* GiB, more than data.memo"):
        Images(path=str(tmp_path)).open()


def test_names_of_idx_files():
    names = ["train-images.idx3-ubyte", "a-idx3-ubyte.gz", "x.idx", "q-labels-idx2-int"]
    assert all(map(is_idx, names))
    assert not any(map(is_idx, ["x.idx.txt", "index", "notes-idx.md", "a.npz"]))
