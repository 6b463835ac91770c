"""Labels that a dataset.json states: used, named, or refused in one line, never guessed."""

from __future__ import annotations

import json

import pytest
from made_pictures import pack, write_folder

from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.modalities.images.inspect import inspect

NAMES = [f"{number // 4:05d}/img{number:08d}.png" for number in range(8)]


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "set", NAMES)


def state(folder, labels, place="dataset.json"):
    (folder / place).write_text(json.dumps({"labels": labels}))
    return folder


def opened(path):
    return Images(path=str(path), holdout=0).open().train


def numbers(source):
    return source.fetch(range(len(source)))["label"].tolist()


@pytest.mark.parametrize("suffix", ["", ".zip", ".tar", ".tar.xz"])
def test_labels_are_those_of_the_file_and_never_the_folders(folder, tmp_path, suffix):
    state(folder, [[name, [6, 10, 6, 0][number % 4]] for number, name in enumerate(NAMES)])
    place = pack(folder, tmp_path / f"s{suffix}") if suffix else folder
    source = opened(place)
    assert source.classes == ("0", "6", "10")
    assert numbers(source) == [1, 2, 1, 0] * 2
    assert source.notes == ("labels are those of dataset.json; folders are no classes",)
    assert inspect(str(place)).classes == {"0": 2, "6": 4, "10": 2}


@pytest.mark.parametrize("labels", [None, [], {}])
def test_no_labels_means_none(folder, labels):
    source = opened(state(folder, labels))
    assert source.classes == ()
    assert source.notes == ("no labels: dataset.json states none; folders are no classes",)


@pytest.mark.parametrize(
    ("labels", "classes", "found"),
    [
        ([3.0, 1.0] * 4, ("1", "3"), [1, 0] * 4),
        (["cat", "ant"] * 4, ("ant", "cat"), [1, 0] * 4),
        ([[0, 1, 0], [1, 0, 0]] * 4, ("0", "1"), [1, 0] * 4),
        ([[0.0, 1.0], [1.0, 0.0]] * 4, ("0", "1"), [1, 0] * 4),
    ],
)
def test_kinds_of_labels(folder, labels, classes, found):
    source = opened(state(folder, list(zip(NAMES, labels))))
    assert source.classes == classes and numbers(source) == found
    one_hot = " (one-hot, as class numbers)" if isinstance(labels[0], list) else ""
    assert source.notes == (f"labels are those of dataset.json{one_hot}; folders are no classes",)


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ([[0.3, 0.7], [1, 0]] * 4, "has shape (8, 2) and is not one-hot"),
        ([[1, 1], [1, 0]] * 4, "has shape (8, 2) and is not one-hot"),
        ([[1], [1, 0]] * 4, "holds lists of several lengths or of words"),
        ([0.5, 1] * 4, "holds 0.5, which is no class"),
        ([1, "cat"] * 4, "holds int and str, and labels are of one kind"),
        ([1, None] * 4, "holds NoneType and int, and labels are of one kind"),
        ([float("nan"), 0.0] * 4, "holds nan, which is no class"),
    ],
)
def test_labels_that_are_no_classes_are_named_and_not_used(folder, labels, why):
    source = opened(state(folder, list(zip(NAMES, labels))))
    assert source.classes == () and source.notes == (f"labels not used: dataset.json {why}",)


def test_one_class_is_none(folder):
    source = opened(state(folder, [[name, 7] for name in NAMES]))
    assert source.classes == ()
    assert source.notes[-1] == "labels not used: all are of one class (7)"


def test_pictures_and_names_without_each_other_are_said(folder):
    labels = [[name, number % 2] for number, name in enumerate(NAMES)]
    source = opened(state(folder, [*labels, ["00009/gone.png", 1]]))
    assert numbers(source) == [0, 1] * 4
    assert source.notes[0] == "dataset.json names 1 pictures that are not here: 00009/gone.png"
    source = opened(state(folder, labels[2:]))
    assert source.classes == ()
    assert source.notes == (
        f"no labels: 2 of 8 pictures are not in dataset.json ({NAMES[0]}, {NAMES[1]}): "
        "add them there, or take them away",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"labels": [', r"dataset\.json is no JSON \(.*\): mend it, or rename it"),
        ("", r"dataset\.json is no JSON"),
        ("\udcff", r"dataset\.json is no JSON"),
        ("[" * 100_000, r"dataset\.json is no JSON"),
        ('{"labels": 3}', r"its labels are no list: write \[\[name, label\], \.\.\.\] or null"),
        ('{"labels": ["a.png"]}', r"entry 0 of its labels is no pair: write \[name, label\]"),
        ('{"labels": [["a.png", 1], [2, 3]]}', "entry 1 of its labels is no pair"),
        ('{"labels": [["a.png", 1], ["a.png", 2]]}', r"gives a\.png two labels: leave one"),
    ],
)
def test_a_broken_file_is_one_clear_line(folder, tmp_path, text, message):
    (folder / "dataset.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    for place in (folder, pack(folder, tmp_path / "s.zip")):
        with pytest.raises(UserError, match=message) as caught:
            opened(place)
        assert "\n" not in str(caught.value)


def test_json_of_another_kind_is_named_and_the_folders_count(folder):
    (folder / "dataset.json").write_text('{"annotations": []}')
    source = opened(folder)
    assert source.classes == ("00000", "00001")
    assert source.notes == (
        "dataset.json has no entry 'labels' and is not used as labels",
        "labels are the folders: 00000, 00001; data.labels=false if they only number the files",
    )


def test_names_count_from_the_folder_of_the_file(tmp_path):
    root = write_folder(tmp_path, ["set/train/1.png", "set/train/2.png", "set/test/1.png"])
    state(root / "set" / "train", [["1.png", 4], ["./2.png", 2]])
    state(root / "set" / "test", [["1.png", 4]])
    split = Images(path=str(root)).open()
    assert split.train.classes == ("2", "4") and numbers(split.train) == [1, 0]
    assert numbers(split.heldout) == [1]
    assert split.heldout_note == "the set's own test/ part (1)"


def test_minus_one_is_no_class_and_takes_no_labels_from_the_other_part(tmp_path):
    names = [f"{part}/{number}.png" for part in ("train", "test") for number in range(3)]
    root = write_folder(tmp_path / "set", names)
    state(root, list(zip(names, [0, 1, 0, -1, 1, -1])))
    split = Images(path=str(root)).open()
    assert numbers(split.train) == [0, 1, 0] and numbers(split.heldout) == [1]
    note = "held-out pictures of no class of the training part, left out: 2 of 3"
    assert split.train.notes[-1] == note
    state(root, list(zip(names, [0, 1, -1, 0, 1, 0])))
    split = Images(path=str(root)).open()
    assert split.train.classes == () and len(split.heldout) == 3
    assert "labels not used: 1 pictures to learn from have none (-1)" in split.train.notes
