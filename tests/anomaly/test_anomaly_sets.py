"""Sets of anomalies: who learns, who is held out, who is tested, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.errors import UserError
from zerosum.modalities.images import Anomalies
from zerosum.modalities.images.anomaly_sets import truths


def pictures(folder, name, count, value):
    (folder / name).mkdir(parents=True)
    for i in range(count):
        Image.new("L", (8, 8), value + i).save(folder / name / f"{i:02d}.png")
    return folder


def values(source):
    return sorted(source.fetch(range(len(source)))["image"][:, 0, 0, 0].tolist())


def test_a_folder_is_sorted_into_three_parts_that_share_nothing(tmp_path):
    pictures(pictures(tmp_path, "normal", 40, 0), "abnormal", 5, 200)
    split = Anomalies(path=str(tmp_path)).open()
    trial = split.trial.fetch(range(len(split.trial)))
    told = trial["image"][:, 0, 0, 0][trial["abnormal"] == 1].tolist()
    tested = trial["image"][:, 0, 0, 0][trial["abnormal"] == 0].tolist()
    assert sorted(told) == [200, 201, 202, 203, 204]
    assert (len(split.train), len(split.heldout), len(tested)) == (32, 4, 4)
    assert sorted(values(split.train) + values(split.heldout) + tested) == list(range(40))
    assert set(split.train.fields) == set(split.heldout.fields) == {"image"}


def test_normal_pictures_alone_are_enough(tmp_path):
    split = Anomalies(path=str(pictures(tmp_path, "normal", 20, 0))).open()
    assert len(split.train) == 16 and len(split.heldout) == 2
    assert split.trial.fetch(range(2))["abnormal"].tolist() == [0, 0]


def test_a_test_part_of_its_own_is_never_learned_from(tmp_path):
    pictures(tmp_path, "train/normal", 30, 0)
    pictures(tmp_path, "test/normal", 3, 100)
    pictures(tmp_path, "test/abnormal", 2, 200)
    split = Anomalies(path=str(tmp_path)).open()
    assert sorted(values(split.train) + values(split.heldout)) == list(range(30))
    assert values(split.trial) == [100, 101, 102, 200, 201]


def test_masks_mark_the_pixels_of_the_anomalies_of_their_names(tmp_path):
    pictures(pictures(tmp_path, "normal", 20, 0), "abnormal", 2, 200)
    (tmp_path / "masks").mkdir()
    mask = np.zeros((8, 8), dtype=np.uint8)
    mask[2:4, 5] = 255
    Image.fromarray(mask).save(tmp_path / "masks" / "01.png")
    split = Anomalies(path=str(tmp_path)).open()
    trial = split.trial.fetch(range(len(split.trial)))
    marked = {int(x[0, 0, 0]): m for x, m in zip(trial["image"], trial["mask"])}
    assert torch.equal(marked[201], torch.from_numpy(mask > 0).to(torch.uint8))
    assert not marked[200].any()
    assert "anomalies without a mask: 1 of 2" in split.train.notes


def test_one_class_or_several_against_the_rest():
    split = Anomalies(path="digits", normal="1").open()
    trial = split.trial.fetch(range(len(split.trial)))["abnormal"]
    assert (len(split.train), len(split.heldout)) == (146, 18)  # of 182 ones
    assert trial.bincount().tolist() == [18, 1_797 - 182]
    both = Anomalies(path="digits", normal="1, 7").open()
    assert len(both.train) + 2 * len(both.heldout) == 182 + 179


def test_a_file_in_three_parts_gives_its_own_held_out_part(tmp_path):
    rng = np.random.default_rng(0)
    parts = {"train": 40, "val": 10, "test": 12}
    arrays = {}
    for name, count in parts.items():
        arrays[f"{name}_images"] = rng.integers(0, 255, (count, 8, 8), dtype=np.uint8)
        arrays[f"{name}_labels"] = np.arange(count)[:, None] % 2
    np.savez_compressed(tmp_path / "pneumoniamnist.npz", **arrays)
    split = Anomalies(path=str(tmp_path)).open()  # its class `normal` is taken for normal
    assert (len(split.train), len(split.heldout), len(split.trial)) == (20, 5, 12)
    assert torch.equal(
        split.heldout.fetch(range(5))["image"][:, 0], torch.from_numpy(arrays["val_images"][::2])
    )
    found = split.trial.fetch(range(12))
    assert torch.equal(found["image"][:, 0], torch.from_numpy(arrays["test_images"]))
    assert found["abnormal"].tolist() == [0, 1] * 6


def test_what_is_wrong_is_said_in_one_line(tmp_path):
    with pytest.raises(UserError, match=r"no folder normal/: put normal pictures into one"):
        Anomalies(path=str(pictures(tmp_path / "a", "good", 30, 0))).open()
    with pytest.raises(UserError, match=r"data\.normal=CLASS which class is: known: 0, 1"):
        Anomalies(path="digits").open()
    with pytest.raises(UserError, match=r"no class '11' \(data\.normal\): did you mean 1"):
        Anomalies(path="digits", normal="11").open()
    with pytest.raises(UserError, match="19 normal pictures to learn from: 20 are the least"):
        Anomalies(path=str(pictures(tmp_path / "b", "normal", 19, 0))).open()
    (tmp_path / "c").mkdir()
    folder = pictures(tmp_path / "c", "normal", 30, 0)
    (folder / "normal" / "bad.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"normal/bad\.png cannot be read.*--skip-bad"):
        Anomalies(path=str(folder)).open()
    assert Anomalies(path=str(folder), skip_bad=True).open().train.skipped == ("normal/bad.png",)


def test_another_path_forgets_the_class():
    assert Anomalies(path="mnist", normal="4").at("photos") == Anomalies(path="photos")


def test_truth_is_the_nearest_folder_that_says_it():
    names = ["normal/a.png", "test/abnormal/b.png", "c.png", "abnormal/normal.png"]
    assert truths(names) == [False, True, None, True]
