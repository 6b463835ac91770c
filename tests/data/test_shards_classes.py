"""Labels of tar shards: the values that occur, lists of names in any encoding, one tar alone."""

from __future__ import annotations

import json

import pytest
from test_data_stream import opened, png, write_shard, write_shards

from zerosum.data.stream import StreamFeed
from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.modalities.images.class_lists import read_classes
from zerosum.modalities.images.inspect import inspect
from zerosum.modalities.images.shard_sets import ClassNumbers


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (("1", "2"), ("1", "2")),
        (("2000000000", "7"), ("7", "2000000000")),
        (("-1", "1"), ("-1", "1")),
        (("10", "9"), ("9", "10")),
        (("\ufeffcat", "dog"), ("cat", "dog")),
    ],
)
def test_classes_are_the_values_that_occur(tmp_path, values, classes):
    stream = opened(write_shards(tmp_path, [4, 4], lambda n: values[n % 2] + "\r\n"))
    assert stream.classes == classes
    batch = next(StreamFeed(stream, batch=8))
    numbers = ((batch["image"][:, 0, 0, 0] + 1) * 127.5).round().int().tolist()
    want = [classes.index(values[n % 2].lstrip("\ufeff")) for n in numbers]
    assert batch["label"].tolist() == want
    assert tuple(inspect(str(tmp_path)).classes) == classes


def test_whole_floats_of_json_are_numbers(tmp_path):
    label = lambda n: json.dumps({"label": [3.0, 5.0][n % 2]})  # noqa: E731
    assert opened(write_shards(tmp_path, [2, 2], label, "json")).classes == ("3", "5")


@pytest.mark.parametrize(
    ("label", "kind"),
    [("[1]", "json"), ("1e999", "json"), ("0.5", "json"), ("[" * 100_000, "json")],
)
def test_labels_that_are_neither(tmp_path, label, kind):
    folder = write_shards(tmp_path, [2, 2], lambda n: label, kind)
    with pytest.raises(UserError, match=r"000000 has no usable label: write a number or a word"):
        opened(folder)


def test_the_first_sample_does_not_decide_for_all(tmp_path):
    for n in range(2):
        members = [(f"{n}0.png", png(0)), (f"{n}1.png", png(1)), (f"{n}1.cls", b"x")]
        write_shard(tmp_path / f"s-{n}.tar", members)
    with pytest.raises(UserError, match="some labels are missing or mix numbers and words"):
        opened(tmp_path)
    assert inspect(str(tmp_path)).notes[0].startswith("labels not used: ")


def test_one_class_is_named(tmp_path):
    stream = opened(write_shards(tmp_path, [2, 2], lambda n: "5"))
    assert stream.notes == ("labels not used: all are of one class (5)",)


def test_a_class_of_the_held_out_part_alone_is_none(tmp_path):
    write_shards(tmp_path / "train", [4], lambda n: "ab"[n % 2])
    write_shards(tmp_path / "val", [4], lambda n: "abcd"[n % 4])
    split = Images(path=str(tmp_path)).open()
    assert split.train.classes == ("a", "b") and len(split.heldout) == 2
    note = "held-out pictures of no class of the training part, left out: 2"
    assert note in split.train.notes
    assert note in inspect(str(tmp_path)).notes


def test_one_tar_alone_keeps_its_labels(tmp_path):
    write_shards(tmp_path, [6], lambda n: ["cat", "dog"][n % 2])
    path = tmp_path / "shards-000.tar"
    train = Images(path=str(path), holdout=0).open().train
    assert train.classes == ("cat", "dog") and len(train) == 6
    assert train.fetch(range(6))["label"].tolist() == [0, 1] * 3
    assert inspect(str(path)).classes == {"cat": 3, "dog": 3}
    few = Images(path=str(path), holdout=0, limit=2, labels=False).open().train
    assert len(few) == 2 and few.classes == ()


@pytest.mark.parametrize(
    ("content", "names", "notes"),
    [
        (b"ant\nbee\n", ("ant", "bee"), ()),
        (b"\xef\xbb\xbfant\r\nbee", ("ant", "bee"), ()),
        ("ant\nbée\n".encode("utf-16"), ("ant", "bée"), ()),
        (b"ant\rb\xe9e\r", ("ant", "bée"), ("classes.txt is not UTF-8 and is read as Latin-1",)),
        (b"ant\n\n bee \n\n\n", ("ant", "bee"), ("classes.txt: blank lines are not counted (1)",)),
        ("a\u2028b\nbee\x0cx".encode(), (r"a\u2028b", r"bee\x0cx"), ()),
        (b"", (), ()),
    ],
)
def test_lists_of_class_names(tmp_path, content, names, notes):
    (tmp_path / "classes.txt").write_bytes(content)
    assert read_classes(tmp_path / "classes.txt") == (names, notes)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"ant\nbee\nant\n", r"names a class twice \(ant\)"),
        (b"a\0b\n", "is no list of class names"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is no list of class names"),
    ],
)
def test_lists_that_are_none(tmp_path, content, why):
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(UserError, match=f"classes.txt {why}"):
        read_classes(tmp_path / "classes.txt")


def test_a_list_by_another_name_is_named(tmp_path):
    write_shards(tmp_path, [3, 3])
    (tmp_path / "labels.txt").write_text("ant\nbee\ncow\n")
    note = "labels.txt not used: call a list of class names classes.txt"
    assert note in opened(tmp_path).notes and note in inspect(str(tmp_path)).notes


def test_a_number_means_a_name_or_a_place_never_both():
    names = ClassNumbers(["3", "0", "1"])
    assert [names.find(value) for value in (3, 0, 1, 2)] == [0, 1, 2, None]
    places = ClassNumbers(["cat", "dog"])
    assert [places.find(value) for value in (1, "cat", 2, -1, None)] == [1, 0, None, None, None]


@pytest.mark.parametrize("listed", [False, True])
def test_labels_of_one_tar_that_are_of_no_use_do_not_stop_it(tmp_path, listed):
    write_shards(tmp_path, [4], lambda n: "5" if listed else ["7", "x"][n % 2])
    if listed:
        (tmp_path / "classes.txt").write_text("ant\nbee\n")
    train = Images(path=str(tmp_path / "shards-000.tar"), holdout=0).open().train
    assert train.classes == () and train.notes[0].startswith("labels not used: ")


def test_only_a_list_of_names_is_no_reason_to_look_through_all_shards(tmp_path, monkeypatch):
    monkeypatch.setattr("zerosum.modalities.images.streaming._LISTED", 2)
    write_shards(tmp_path, [2, 2, 2])
    (tmp_path / "classes.txt").write_text("ant\nbee\ncow\n")
    stream = opened(tmp_path)
    assert stream.classes == ("ant", "bee", "cow")
    assert stream.notes == ("what was left out was looked for in 2 of 3 shards",)


def test_inspect_keeps_the_shards_aside_that_training_keeps(tmp_path):
    write_shards(tmp_path, [3] * 10)
    split, report = Images(path=str(tmp_path)).open(), inspect(str(tmp_path))
    assert (report.train, report.heldout) == (27, len(split.heldout)) == (27, 3)
    assert report.heldout_note == "1 of 10 shards, seed 0"
    few = inspect(f"wds:{tmp_path}/shards-{{000..001}}.tar")
    assert few.heldout_note == "none: 2 shards are too few to keep 10 % aside"


@pytest.mark.parametrize("names", ["bg\nant\nbee\n", "ant\nbg\nbee\nzoo\n", "5\n0\n1\n2\n"])
def test_a_listed_name_that_no_label_means_is_no_class(tmp_path, names):
    places = {"bg": (1, 2), "ant": (0, 2), "5": (1, 2)}[names.split()[0]]
    write_shards(tmp_path, [4, 4], lambda n: str(places[n % 2]))
    (tmp_path / "classes.txt").write_text(names)
    split = Images(path=str(tmp_path)).open()
    kept = ("1", "2") if names[0] == "5" else ("ant", "bee")
    lost = [name for name in names.split() if name not in kept]
    assert split.train.classes == kept
    note = f"classes that no picture to learn from has, left out: {', '.join(lost)}"
    assert note in split.train.notes and note in inspect(str(tmp_path)).notes
    again = Images(path=str(tmp_path)).open(split.codec).train  # as a run that goes on has it
    for stream in (split.train, again):
        assert set(next(StreamFeed(stream, batch=8))["label"].tolist()) == {0, 1}


def test_json_without_a_label_is_said(tmp_path):
    write_shards(tmp_path, [4, 4], lambda n: '{"class_name": "ant"}', "json")
    note = "labels not used: no .cls or .json holds one (keys label, cls, class)"
    assert Images(path=str(tmp_path)).open().train.notes == (note,)
    assert inspect(str(tmp_path)).notes == (note,)
