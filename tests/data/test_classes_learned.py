"""A class that no picture to learn from has is none: it would be drawn, and was never seen."""

import numpy as np
import pytest
from made_pictures import write_folder

from zerosum.errors import UserError
from zerosum.modalities.images import Images
from zerosum.modalities.images.inspect import inspect

LOST = "classes that no picture to learn from has, left out: "
NAMES = [f"{c}/{i}.png" for c in "ab" for i in range(20)] + [f"{c}/0.png" for c in "cdefgh"]


def learned(split):
    """Names of the classes of the training pictures."""
    return {split.codec.classes[n] for n in split.train.fetch(range(len(split.train)))["label"]}


def reopened(config, split):
    """The set with the codec of a run, as a run that goes on or is judged has it."""
    again = config.open(split.codec)
    assert len(again.train) == len(split.train) and len(again.heldout) == len(split.heldout)
    assert learned(again) == learned(split)


def test_the_held_out_share_takes_no_class_as_a_whole(tmp_path):
    config = Images(path=str(write_folder(tmp_path / "set", NAMES)), holdout=0.3)
    split = config.open()
    assert learned(split) == set("abcdefgh") == set(split.codec.classes)
    assert len(split.train) + len(split.heldout) == 46 and len(split.heldout) < 14
    kept = 14 - len(split.heldout)
    assert split.heldout_note.endswith(
        f"seed 0, but for {kept} without which a class had none to learn from"
    )
    reopened(config, split)


def test_a_limit_leaves_out_the_classes_that_it_misses(tmp_path):
    config = Images(path=str(write_folder(tmp_path / "set", NAMES)), limit=5)
    split = config.open()
    assert learned(split) == set(split.codec.classes) < set("abcdefgh")
    lost = [name for name in "abcdefgh" if name not in split.codec.classes]
    assert any(note.startswith(LOST + ", ".join(lost[:5])) for note in split.train.notes)
    held = split.heldout.fetch(range(len(split.heldout)))["label"]
    assert int(held.min()) >= 0 and int(held.max()) < len(split.codec.classes)
    reopened(config, split)


@pytest.mark.parametrize("memory", [2.0, 1e-6])
def test_a_class_of_unreadable_pictures_is_none(tmp_path, memory):
    folder = write_folder(tmp_path / "set", NAMES[:40])
    (folder / "c").mkdir()
    (folder / "c" / "0.png").write_bytes(b"no picture")
    config = Images(path=str(folder), skip_bad=True, memory=memory, size=6, channels=3, holdout=0)
    split = config.open()
    assert split.codec.classes == ("a", "b") and LOST + "c" in split.train.notes


def test_labels_of_one_class_that_is_left_are_none(tmp_path):
    folder = write_folder(tmp_path / "set", NAMES)
    split = Images(path=str(folder), limit=1).open()
    assert "label" not in split.train.fields
    assert any(
        note.startswith("labels not used: all are of one class") for note in split.train.notes
    )


def test_a_class_to_learn_from_that_a_run_does_not_know_is_refused(tmp_path):
    codec = Images(path=str(write_folder(tmp_path / "old", NAMES[:40]))).open().codec
    folder = write_folder(tmp_path / "new", NAMES[:40] + [f"z/{i}.png" for i in range(20)])
    with pytest.raises(UserError, match="has a class 'z' that the run did not learn"):
        Images(path=str(folder)).open(codec)


def test_inspect_counts_as_a_training_does(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 6, 6, 3), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.minimum(np.arange(40), 30))
    split, report = Images(path=str(tmp_path / "a.npz")).open(), inspect(str(tmp_path / "a.npz"))
    assert len(split.codec.classes) == len(learned(split)) == 31
    assert (report.train, report.heldout) == (len(split.train), len(split.heldout))
