"""Folders, archives and arrays: what is found, how it is labelled and split, what is refused."""

from __future__ import annotations

import shutil
import zipfile

import numpy as np
import pytest
import torch
from made_pictures import pack, picture, write_folder
from PIL import Image

from zerosum.errors import UserError
from zerosum.modalities.images import Images

NAMES = [f"{kind}/{number}.png" for kind in ("bird", "cat", "dog") for number in range(4)]


def everything(source):
    return source.fetch(range(len(source)))


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def opened(path, **options):
    return Images.model_validate({"path": str(path), "holdout": 0, **options}).open().train


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "pets", NAMES)


def test_folder_has_pixels_and_labels(folder):
    source = opened(folder)
    assert source.name == "pets/train"
    assert source.shapes == {"image": (3, 6, 6), "label": ()}
    assert source.classes == ("bird", "cat", "dog")
    batch = everything(source)
    assert batch["label"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    for number in range(12):
        expected = np.asarray(picture(number)).transpose(2, 0, 1)
        assert np.array_equal(batch["image"][number].numpy(), expected)


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "tar.xz", "tar.bz2"])
@pytest.mark.parametrize("memory", [2.0, 1e-6])
def test_archives_equal_the_folder(folder, tmp_path, suffix, memory):
    packed = pack(folder, tmp_path / f"pets.{suffix}")
    if memory < 1 and suffix.startswith("tar."):
        with pytest.raises(UserError, match=r"is compressed and larger than data\.memory"):
            opened(packed, memory=memory)
        return
    source = opened(packed, memory=memory)
    assert source.in_memory == (memory > 1)
    assert source.name == "pets/train"
    assert same(everything(source), everything(opened(folder)))


def test_folder_with_one_archive_is_that_archive(folder, tmp_path):
    outer = tmp_path / "outer"
    outer.mkdir()
    (outer / "README.md").write_text("about")
    pack(folder, outer / "pets.zip")
    assert same(everything(opened(outer)), everything(opened(folder)))
    pack(folder, outer / "again.tar.gz")
    with pytest.raises(
        UserError, match=r"several sets, name one of them: again\.tar\.gz, pets\.zip"
    ):
        opened(outer)


def test_npz_equals_the_folder(folder, tmp_path):
    batch = everything(opened(folder))
    pixels = batch["image"].permute(0, 2, 3, 1).numpy()
    words = np.array(["bird", "cat", "dog"])[batch["label"].numpy()]
    np.savez(tmp_path / "pets.npz", images=pixels, category=words, names=np.array(NAMES))
    source = opened(tmp_path / "pets.npz")
    assert source.classes == ("bird", "cat", "dog")
    assert same(everything(source), batch)


@pytest.mark.parametrize("memory", [2.0, 0.0])
def test_npy_layouts(tmp_path, memory):
    pixels = np.stack([np.asarray(picture(i)) for i in range(5)])
    expected = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    np.save(tmp_path / "last.npy", pixels)
    np.save(tmp_path / "first.npy", pixels.transpose(0, 3, 1, 2))
    np.save(tmp_path / "grey.npy", pixels[..., 0])
    for name in ("last", "first"):
        assert torch.equal(
            everything(opened(tmp_path / f"{name}.npy", memory=memory))["image"], expected
        )
    grey = opened(tmp_path / "grey.npy", memory=memory)
    assert torch.equal(everything(grey)["image"], expected[:, :1])


@pytest.mark.parametrize(
    ("values", "expected", "note"),
    [
        (np.array([0, 257, 65535], np.uint16), [0, 1, 255], "uint16 pixels scaled"),
        (np.array([False, True, True]), [0, 255, 255], "bool pixels"),
        (np.array([0, 0.5, 1], np.float32), [0, 128, 255], "taken as 0..1"),
        (np.array([-1, 0, 1], np.float64), [0, 128, 255], "taken as -1..1"),
        (np.array([0, 7, 255], np.int64), [0, 7, 255], "taken as 0..255"),
    ],
)
def test_array_number_types(tmp_path, values, expected, note):
    np.save(tmp_path / "a.npy", np.broadcast_to(values[:, None, None], (3, 4, 4)))
    source = opened(tmp_path / "a.npy")
    assert note in source.notes[0]
    assert everything(source)["image"][:, 0, 0, 0].tolist() == expected


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((2, 4, 4), np.float32) + 3, r"from 3..3: pixels must be uint8"),
        (np.full((2, 4, 4), np.nan, np.float32), "not finite: replace NaN"),
        (np.zeros((2, 5, 5, 7), np.uint8), "is not that of pictures: save it as"),
        (np.zeros((2, 3, 4, 4), np.uint8), "fits both"),
        (np.zeros((0, 4, 4), np.uint8), "holds no pictures: its shape is"),
        (np.zeros((2, 4), np.uint8), "is not that of pictures"),
        (np.zeros((2, 4, 4), "U1"), "not pixels: save it as uint8"),
        (np.full((2, 4, 4), None), "cannot be read"),
    ],
)
def test_arrays_that_are_no_pictures(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(UserError, match=message):
        opened(tmp_path / "a.npy")


def test_npz_parts_and_keys(tmp_path):
    grey = np.stack([np.asarray(picture(i, mode="L")) for i in range(9)])
    parts = {"train": grey[:4], "val": grey[4:6], "test": grey[6:]}
    arrays = {f"{word}_images": part for word, part in parts.items()}
    arrays |= {f"{word}_labels": np.arange(len(p))[:, None] % 2 for word, p in parts.items()}
    np.savez(tmp_path / "medical.npz", **arrays)
    split = Images(path=str(tmp_path / "medical.npz")).open()
    assert split.heldout is not None
    assert split.heldout_note == "the set's own test part (3)"
    assert np.array_equal(everything(split.train)["image"][:, 0], grey[:4])
    assert np.array_equal(everything(split.heldout)["image"][:, 0], grey[6:])
    assert everything(split.heldout)["label"].tolist() == [0, 1, 0]
    np.savez(tmp_path / "keras.npz", x_train=grey[:5], y_train=np.arange(5) % 3, x_test=grey[5:])
    train = Images(path=str(tmp_path / "keras.npz"), holdout=0).open().train
    assert train.fetch(range(5))["label"].tolist() == [0, 1, 2, 0, 1]
    assert "of no class of the training part, left out: 4 of 4" in train.notes[0]
    np.savez(tmp_path / "two.npz", foo=grey, bar=grey)
    with pytest.raises(UserError, match=r"no array that is clearly the pictures \(found foo \(9,"):
        opened(tmp_path / "two.npz")


def test_train_and_test_folders_are_a_split(tmp_path):
    names = [f"set/{part}/{kind}/1.png" for part in ("train", "test") for kind in "ab"]
    names += ["set/train/b/2.png", "set/cover.png"]
    split = Images(path=str(write_folder(tmp_path, names))).open()
    assert split.heldout is not None and split.heldout_note == "the set's own test/ part (2)"
    assert len(split.train) == 3 and split.train.classes == ("a", "b")
    assert everything(split.train)["label"].tolist() == [0, 1, 1]
    assert everything(split.heldout)["label"].tolist() == [0, 1]
    assert split.train.notes == (
        "labels are the folders: a, b",
        "1 pictures beside train/ and test/ are left out",
    )


def test_val_serves_where_there_is_no_test(tmp_path):
    write_folder(tmp_path, ["train/1.png", "train/2.png", "val/1.png"])
    split = Images(path=str(tmp_path)).open()
    assert split.heldout_note == "the set's own val/ part (1)"
    assert split.train.classes == ()


def test_shared_folders_and_single_classes_mean_no_labels(tmp_path):
    source = opened(write_folder(tmp_path, ["a/b/1.png", "a/b/2.png"]))
    assert source.classes == () and "label" not in source.shapes


def test_loose_pictures_beside_folders_mean_no_labels(tmp_path):
    source = opened(write_folder(tmp_path, ["a/1.png", "b/1.png", "loose.png"]))
    assert source.classes == ()
    assert source.notes == ("no labels: 1 pictures lie beside the folders a, b",)


def test_labels_can_be_left_out(folder):
    source = opened(folder, labels=False)
    assert source.shapes == {"image": (3, 6, 6)} and source.classes == ()


def test_hidden_files_and_mac_shadows_are_ignored(folder, tmp_path):
    write_folder(folder, [".thumbs/1.png", "bird/.hidden.png"])
    (folder / "__MACOSX" / "bird").mkdir(parents=True)
    (folder / "__MACOSX" / "bird" / "._0.png").write_bytes(b"junk")
    (folder / "__MACOSX" / "bird" / "0.png").write_bytes(b"junk")
    (folder / "notes.txt").write_text("not a picture")
    assert len(opened(folder)) == 12
    assert len(opened(pack(folder, tmp_path / "p.zip"))) == 12


def test_links_are_followed_and_loops_end(folder, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "pets").symlink_to(folder)
    (folder / "loop").symlink_to(folder)
    assert len(opened(linked)) == 12


def test_channels_are_the_fewest_that_lose_nothing(tmp_path):
    grey = write_folder(tmp_path / "grey", ["1.png", "2.png"], mode="L")
    assert opened(grey).shapes["image"] == (1, 6, 6)
    picture(3, mode="L").convert("RGB").save(grey / "3.png")
    assert opened(grey).shapes["image"] == (1, 6, 6), "grey stored as RGB is still grey"
    assert opened(grey, memory=0).shapes["image"] == (3, 6, 6), "not all were looked at"
    picture(4).save(grey / "4.png")
    assert opened(grey).shapes["image"] == (3, 6, 6)
    rgba = write_folder(tmp_path / "rgba", ["1.png"], mode="RGBA")
    assert opened(rgba).shapes["image"] == (3, 6, 6)
    assert opened(rgba, channels=4).shapes["image"] == (4, 6, 6)


def test_mixed_sizes_need_a_size(tmp_path):
    write_folder(tmp_path, ["1.png"], size=(6, 8))
    write_folder(tmp_path, ["2.png"], size=(10, 4))
    with pytest.raises(UserError) as caught:
        opened(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: images have 2 sizes from 6x8 to 10x4: set data.size=64 (height,width)"
    )
    assert opened(tmp_path, size=5).shapes["image"] == (3, 5, 5)


def test_on_demand_equals_in_memory(folder):
    options = {"size": (4, 5), "channels": 3}
    inside, outside = opened(folder, **options), opened(folder, **options, memory=0)
    assert inside.in_memory and not outside.in_memory
    assert same(everything(inside), everything(outside))
    assert same(inside.fetch([3, 3, 0]), outside.fetch([3, 3, 0]))


def test_heldout_share_and_limit():
    split = Images(path="digits").open()
    assert split.heldout is not None
    assert (len(split.train), len(split.heldout)) == (1617, 180)
    assert split.heldout_note == "10 % (180 of 1,797), seed 0"
    limited = Images(path="digits", limit=100).open()
    assert len(limited.train) == 100
    assert same(
        everything(limited.train), everything(Images(path="digits", limit=100).open().train)
    )
    rows = {bytes(p.numpy().tobytes()) for p in everything(split.train)["image"]}
    assert {bytes(p.numpy().tobytes()) for p in everything(limited.train)["image"]} <= rows
    held = {bytes(p.numpy().tobytes()) for p in everything(split.heldout)["image"]}
    assert not rows & held


def test_nothing_held_out():
    split = Images(path="digits", holdout=0).open()
    assert split.heldout is None and len(split.train) == 1797
    assert split.heldout_note == "none: every picture is used for training"


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    batch = everything(opened("digits"))
    assert np.array_equal(batch["image"].reshape(-1, 64), np.rint(pixels * 255 / 16))
    assert np.array_equal(batch["label"], labels)


@pytest.mark.parametrize("memory", [2.0, 0.0])
@pytest.mark.parametrize("damage", [b"no picture", None])
def test_bad_pictures_are_named_or_skipped(folder, damage, memory):
    victim = folder / "cat" / "1.png"
    victim.write_bytes(damage or victim.read_bytes()[:100])  # None: cut in the middle
    with pytest.raises(UserError, match=r"or add data\.skip_bad=true / --skip-bad") as caught:
        opened(folder, memory=memory).fetch(range(12))
    assert str(caught.value).startswith("cat/1.png cannot be read (")
    assert "\n" not in str(caught.value)
    source = opened(folder, memory=memory, skip_bad=True)
    assert source.skipped == ("cat/1.png",)
    assert "unreadable pictures left out: 1 (cat/1.png)" in source.notes
    batch = everything(source)
    assert batch["label"].tolist() == [0] * 4 + [1] * 3 + [2] * 4
    assert np.array_equal(batch["image"][5], np.asarray(picture(6)).transpose(2, 0, 1))


def test_only_bad_pictures(tmp_path):
    (tmp_path / "a.png").write_bytes(b"junk")
    with pytest.raises(UserError, match="none of its 1 pictures can be read"):
        opened(tmp_path, skip_bad=True)


def test_progress_is_reported(folder):
    calls = []
    Images(path=str(folder), holdout=0).open(
        on_progress=lambda done, total: calls.append((done, total))
    )
    assert calls[-1] == (12, 12)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p.mkdir(), "is empty: put image files in it"),
        (lambda p: (p.mkdir(), (p / "a.txt").touch()), r"no image files \(found 1 .txt\)"),
        (lambda p: p.write_text("x"), "is no set of pictures: give a folder"),
        (lambda p: None, "no file or folder .*: named sets: digits"),
    ],
)
def test_places_without_pictures(tmp_path, make, message):
    make(tmp_path / "place")
    with pytest.raises(UserError, match=message):
        opened(tmp_path / "place")


def test_a_slip_of_the_pen_is_answered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".minst_cache").mkdir()
    with pytest.raises(UserError, match=r"no file or folder minst: did you mean mnist\?$"):
        opened("minst")


def test_one_picture_is_no_set(tmp_path):
    picture(0).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="is one picture: name the folder"):
        opened(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz", "npz"])
def test_damaged_files(tmp_path, suffix):
    (tmp_path / f"a.{suffix}").write_bytes(b"\x1f\x8bjunk" * 200)
    with pytest.raises(UserError, match=r"cannot be read \(.*\): copy or download it again"):
        opened(tmp_path / f"a.{suffix}")


def test_archive_without_pictures(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("notes.txt", "x")
    with pytest.raises(UserError, match="holds no image files: check that it is the right"):
        opened(tmp_path / "a.zip")


def test_relative_paths_are_looked_for_in_the_data_folder(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("ZEROSUM_DATA", str(folder.parent))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    assert len(opened("pets")) == 12
    shutil.copytree(folder / "cat", work / "pets")
    assert len(opened("pets")) == 4, "the working folder comes first"


def test_formats_by_suffix(tmp_path):
    for suffix in ("jpg", "jpeg", "webp", "gif", "bmp", "tif", "ppm", "PNG"):
        picture(0, (16, 16)).save(tmp_path / f"{suffix}.{suffix}")
    assert len(opened(tmp_path)) == 8


def test_animations_give_their_first_frame(tmp_path):
    frames = [Image.new("L", (4, 4), level) for level in (0, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert everything(opened(tmp_path))["image"].max() == 0


@pytest.mark.parametrize(
    ("count", "holdout", "held"), [(1, 0.5, 0), (2, 0.01, 1), (3, 0.99, 2), (40, 0.1, 4)]
)
def test_some_are_kept_aside_and_never_all(tmp_path, count, holdout, held):
    write_folder(tmp_path, [f"{number:02}.png" for number in range(count)])
    split = Images(path=str(tmp_path), holdout=holdout).open()
    assert len(split.train) == count - held
    assert (0 if split.heldout is None else len(split.heldout)) == held


def test_pictures_beside_archives_are_the_set(folder, tmp_path):
    for name in ("a.tar", "b.tar"):
        pack(folder, tmp_path / name)
        (tmp_path / name).rename(folder / name)
    assert len(opened(folder)) == 12
