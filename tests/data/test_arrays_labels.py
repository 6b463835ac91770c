"""Labels beside arrays of pictures: what has one meaning is used, all else is named."""

from __future__ import annotations

import numpy as np
import pytest
from made_pictures import picture

from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.modalities.images.inspect import inspect
from zerosum.modalities.images.labels import UnusableError, label_values

PICTURES = np.stack([np.asarray(picture(n)) for n in range(12)])
NUMBERS = np.arange(12) % 3


def opened(tmp_path, **arrays):
    np.savez(tmp_path / "a.npz", **{"images": PICTURES} | arrays)
    return Images(path=str(tmp_path / "a.npz"), holdout=0).open().train


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (NUMBERS.astype(np.float32), ("0", "1", "2")),
        (NUMBERS.astype(np.float16), ("0", "1", "2")),
        (NUMBERS[:, None] + 4, ("4", "5", "6")),
        (np.eye(3, dtype=np.uint8)[NUMBERS], ("0", "1", "2")),
        (np.eye(5)[NUMBERS + 2], ("2", "3", "4")),
        (np.array([b"ant", b"bee", b"\xfcx"])[NUMBERS], ("ant", "bee", "üx")),
        (np.array(["ant", "bee", "cow"])[NUMBERS], ("ant", "bee", "cow")),
        (NUMBERS.astype(">i8") * 1_000_000_000, ("0", "1000000000", "2000000000")),
    ],
)
def test_forms_of_labels(tmp_path, values, classes):
    train = opened(tmp_path, labels=values)
    assert train.classes == classes
    assert np.array_equal(train.fetch(range(12))["label"], NUMBERS)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (NUMBERS[:11], "labels holds 11 values for 12 pictures"),
        (NUMBERS / 2, "labels holds 0.5, which is no class"),
        (np.where(NUMBERS == 0, np.nan, 1.0), "labels holds nan, which is no class"),
        (np.where(NUMBERS == 0, np.inf, 1.0), "labels holds inf, which is no class"),
        (np.ones((12, 3), int), r"labels has shape \(12, 3\) and is not one-hot"),
        (np.array(["a", "b", "c"], object)[NUMBERS], r"labels is of dtype object: save it as lab"),
        (np.zeros(12, int), r"all are of one class \(0\)"),
        (NUMBERS.astype(complex), "holds complex128, neither whole numbers nor words"),
    ],
)
def test_labels_that_are_none_are_named(tmp_path, values, why):
    train = opened(tmp_path, labels=values)
    assert train.classes == ()
    with pytest.raises(AssertionError, match=f"labels not used: .*{why}"):
        raise AssertionError(" | ".join(train.notes))
    assert inspect(str(tmp_path / "a.npz")).notes == train.notes


def test_a_scalar_is_no_label():
    with pytest.raises(UnusableError, match="y holds one value for 12 pictures"):
        label_values("y", np.array(3), 12)


def test_arrays_that_are_left_out_are_named(tmp_path):
    train = opened(tmp_path, digits=NUMBERS, masks=PICTURES[..., 0])
    assert train.notes == (
        "pictures are the array images; arrays left out: digits (12,), masks (12, 6, 6)",
    )


def test_two_arrays_of_labels_are_a_question(tmp_path):
    assert opened(tmp_path, y=NUMBERS, labels=NUMBERS).classes == ("0", "1", "2")
    with pytest.raises(UserError, match=r"has labels in labels and others in y: leave one"):
        opened(tmp_path, y=NUMBERS[::-1], labels=NUMBERS)


def test_two_arrays_of_pictures_are_a_question(tmp_path):
    with pytest.raises(UserError, match=r"no array that is clearly the pictures \(found images"):
        opened(tmp_path, x=PICTURES)


def test_a_training_part_alone_keeps_its_labels(tmp_path):
    np.savez(tmp_path / "a.npz", x_train=PICTURES, y_train=NUMBERS)
    train = Images(path=str(tmp_path / "a.npz"), holdout=0).open().train
    assert train.classes == ("0", "1", "2") and train.notes == ()


def test_classes_of_the_held_out_part_alone_are_none(tmp_path):
    held = np.array([0, 1, 7, -1])
    np.savez(
        tmp_path / "a.npz",
        x_train=PICTURES[:8],
        y_train=NUMBERS[:8],
        x_test=PICTURES[8:],
        y_test=held,
    )
    split = Images(path=str(tmp_path / "a.npz")).open()
    assert split.train.classes == ("0", "1", "2")
    assert split.heldout.fetch(range(len(split.heldout)))["label"].tolist() == [0, 1]
    assert split.heldout_note == "the set's own test part (2)"
    assert split.train.notes == (
        "held-out pictures of no class of the training part, left out: 2 of 4",
    )


def test_labels_in_a_file_of_their_own_are_named(tmp_path):
    np.save(tmp_path / "x.npy", PICTURES)
    np.save(tmp_path / "y.npy", NUMBERS)
    train = Images(path=str(tmp_path / "x.npy"), holdout=0).open().train
    assert train.notes == ("labels not used: y.npy; save both arrays in one .npz",)
