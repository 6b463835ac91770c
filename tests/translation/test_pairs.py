"""Pairs of pictures: every layout round-trips, and both pictures of a pair move together."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.images.pairs import PairCodec, Pairs

COUNT = 12


def made(count: int = COUNT, side: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Inputs, grey, and answers, coloured."""
    rng = np.random.default_rng(0)
    given = rng.integers(0, 256, (count, side, side), dtype=np.uint8)
    answers = rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return given, answers


def write(path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def everything(config: Pairs) -> dict[str, np.ndarray]:
    """All training pairs, as stored, by field (N, C, H, W)."""
    source = config.open().train
    return {key: value.numpy() for key, value in source.fetch(range(len(source))).items()}


def check(found: dict[str, np.ndarray], given: np.ndarray, answers: np.ndarray) -> None:
    assert np.array_equal(found["input"], given[:, None])
    assert np.array_equal(found["image"], answers.transpose(0, 3, 1, 2))


@pytest.fixture
def beside(tmp_path):
    """A folder of pictures side by side: the input, as RGB, left of its answer."""
    given, answers = made()
    for i, (x, y) in enumerate(zip(given, answers)):
        write(tmp_path / f"set/{i:02d}.png", np.hstack([np.repeat(x[..., None], 3, 2), y]))
    return tmp_path / "set"


def test_side_by_side(beside):
    given, answers = made()
    found = everything(Pairs(path=str(beside), holdout=0))
    check(found, given, answers)  # one channel, though stored as RGB: no colour is lost
    back = everything(Pairs(path=str(beside), direction="BtoA", holdout=0))
    check({"input": back["image"], "image": back["input"]}, given, answers)


def test_a_zip_of_parts(beside, tmp_path):
    given, answers = made()
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for i in range(COUNT):
            part = "test" if i % 3 == 0 else "train"
            archive.write(beside / f"{i:02d}.png", f"{part}/{i:02d}.png")
    split = Pairs(path=str(tmp_path / "set.zip")).open()
    assert split.heldout_note == "the set's own test part (4)"
    held = [i for i in range(COUNT) if i % 3 == 0]
    kept = [i for i in range(COUNT) if i % 3]
    for source, numbers in ((split.train, kept), (split.heldout, held)):
        found = {k: v.numpy() for k, v in source.fetch(range(len(source))).items()}
        check(found, given[numbers], answers[numbers])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("A", "B"),
        ("trainA", "trainB"),
        ("train/A", "train/B"),
        ("input", "image"),
        ("input", "target"),
        ("Input", "Output"),
    ],
)
def test_two_folders(tmp_path, left, right):
    given, answers = made()
    for i in range(COUNT):
        write(tmp_path / f"set/{left}/{i:02d}.png", given[i])
        write(tmp_path / f"set/{right}/{i:02d}.webp.png", answers[i])
    for file in (tmp_path / "set" / right).iterdir():
        file.rename(file.with_name(file.name.replace(".webp", "")))
    check(everything(Pairs(path=str(tmp_path / "set"), holdout=0)), given, answers)


def test_four_folders_have_a_held_out_part(tmp_path):
    given, answers = made()
    for i in range(COUNT):
        part = "test" if i < 4 else "train"
        write(tmp_path / f"{part}A/{i:02d}.png", given[i])
        write(tmp_path / f"{part}B/{i:02d}.png", answers[i])
    split = Pairs(path=str(tmp_path)).open()
    assert (len(split.train), len(split.heldout)) == (8, 4)
    found = {k: v.numpy() for k, v in split.heldout.fetch(range(4)).items()}
    check(found, given[:4], answers[:4])


@pytest.mark.parametrize("names", [("input", "image"), ("A", "B"), ("x", "y")])
def test_two_arrays(tmp_path, names):
    given, answers = made()
    np.savez(tmp_path / "set.npz", **dict(zip(names, (given, answers))))
    check(everything(Pairs(path=str(tmp_path / "set.npz"), holdout=0)), given, answers)


def test_pictures_without_a_partner_are_named(tmp_path):
    given, answers = made()
    for i in range(COUNT):
        write(tmp_path / f"A/{i}.png", given[i])
        write(tmp_path / f"B/{i}.png", answers[i])
    (tmp_path / "A/3.png").unlink()
    (tmp_path / "B/7.png").unlink()
    with pytest.raises(UserError, match=r"2 of its pictures have no partner.*A/7.png, B/3.png"):
        Pairs(path=str(tmp_path)).open()
    write(tmp_path / "B/0.bmp", answers[0])
    with pytest.raises(UserError, match=r"B/0.bmp and B/0.png have one name"):
        Pairs(path=str(tmp_path)).open()


def test_what_holds_no_pairs_is_refused_with_its_cure(tmp_path, monkeypatch):
    given, answers = made(3)
    np.savez(tmp_path / "other.npz", pictures=given)
    with pytest.raises(UserError, match="holds pictures: name its two arrays"):
        Pairs(path=str(tmp_path / "other.npz")).open()
    np.savez(tmp_path / "short.npz", input=given, image=answers[:2])
    with pytest.raises(UserError, match="3 inputs and 2 answers"):
        Pairs(path=str(tmp_path / "short.npz")).open()
    write(tmp_path / "odd/0.png", np.zeros((8, 17), dtype=np.uint8))
    with pytest.raises(UserError, match=r"0.png .*17 pixels wide"):
        Pairs(path=str(tmp_path / "odd"), size=8, channels=1).open()
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="holds no image files"):
        Pairs(path=str(tmp_path / "none")).open()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ZEROSUM_DATA", raising=False)
    (tmp_path / "facades").mkdir()  # named once, though a set and a folder have that name
    with pytest.raises(UserError, match=r"no file or folder facade: did you mean facades\?"):
        Pairs(path="facade").open()
    np.savez(tmp_path / "big.npz", input=given, image=answers)
    with pytest.raises(UserError, match=r"more than data.memory=1e-06"):
        Pairs(path=str(tmp_path / "big.npz"), memory=1e-6).open()


@pytest.fixture
def twins(tmp_path):
    """Pairs whose answer is the input."""
    given, _ = made(side=32)
    np.savez(tmp_path / "twins.npz", a=given, b=given)
    return str(tmp_path / "twins.npz")


def visits(numbers, seed: int = 0) -> Visits:
    return Visits(seed, np.asarray(numbers, dtype=np.int64))


def test_crops_and_mirrors_move_both_pictures_together(twins):
    source = Pairs(path=twins, crop=True, flip=True, holdout=0).open().train
    rows = [0] * 2_000
    batch = source.fetch(rows, visits(range(2_000)))
    assert batch["input"].shape == (2_000, 1, 32, 32)
    assert batch["input"].dtype == torch.uint8
    assert torch.equal(batch["input"], batch["image"])
    # 32 becomes 36, which leaves 5 places each way; half of the visits are mirrored: 50 pictures.
    assert len(batch["input"].flatten(1).unique(dim=0)) == 50


def test_a_visit_is_the_same_again_alone_or_among_others(twins):
    source = Pairs(path=twins, crop=True, flip=True, holdout=0).open().train
    rows = list(range(COUNT))
    whole = source.fetch(rows, visits(range(100, 100 + COUNT)))["image"]
    again = source.fetch(rows[4:7], visits(range(104, 107)))["image"]
    assert torch.equal(whole[4:7], again)
    assert not torch.equal(whole, source.fetch(rows, visits(range(100, 112), seed=1))["image"])


def test_without_visits_a_pair_is_whole_and_unturned(twins):
    given, _ = made(side=32)
    split = Pairs(path=twins, crop=True, flip=True, holdout=0.25).open()
    for source in (split.train, split.heldout):
        for row in range(len(source)):
            found = source.fetch([row])["image"][0, 0].numpy()
            assert (given == found).all((1, 2)).sum() == 1
    # Held-out pairs are never cropped, whoever visits.
    held = split.heldout
    assert torch.equal(held.fetch([0], visits([5]))["image"], held.fetch([0])["image"])


def test_a_crop_is_a_window_of_the_enlarged_picture(tmp_path):
    ramp = np.broadcast_to(np.arange(64, dtype=np.uint8) * 4, (2, 64, 64)).copy()
    np.savez(tmp_path / "ramp.npz", a=ramp, b=ramp)
    split = Pairs(path=str(tmp_path / "ramp.npz"), crop=True, holdout=0, filter="bilinear").open()
    rows = split.train.fetch([0] * 64, visits(range(64)))["image"][:, 0, 0].int()
    steps = (rows[:, -1] - rows[:, 0]).float() / 63
    assert steps.mean().item() == pytest.approx(4 * 64 / 72, abs=0.05)  # enlarged by 72/64


def test_the_codec_survives_its_state_and_keeps_a_resumed_set_as_it_was(beside):
    given, answers = made()
    config = Pairs(path=str(beside), holdout=0)
    codec = config.open().codec
    facts, tensors = codec.state()
    again = PairCodec.from_state(facts, tensors)
    assert again.fields == codec.fields
    assert again.hash == codec.hash
    opened = config.open(again)
    assert opened.codec is again
    objects = [(Image.fromarray(x), Image.fromarray(y)) for x, y in zip(given, answers)]
    encoded = again.encode(objects)
    stored = opened.train.fetch(range(COUNT))
    assert all(torch.equal(encoded[key], stored[key]) for key in ("input", "image"))
    alone = again.encode([pair[0] for pair in objects])
    assert list(alone) == ["input"]
    assert torch.equal(alone["input"], stored["input"])
    finished = opened.train.finished(range(COUNT))
    for (x, y), (left, right) in zip(objects, again.decode(finished)):
        assert np.array_equal(np.asarray(left), np.asarray(x))
        assert np.array_equal(np.asarray(right), np.asarray(y))


def test_samples_are_written_as_sheet_arrays_and_pictures(beside, tmp_path):
    given, answers = made()
    split = Pairs(path=str(beside), holdout=0).open()
    batch = split.train.finished(range(COUNT))
    split.codec.write(batch, tmp_path / "all.npz")
    with np.load(tmp_path / "all.npz") as file:
        assert np.array_equal(file["input"][..., 0], given)
        assert np.array_equal(file["image"], answers)
    split.codec.write(batch, tmp_path / "single")
    assert np.array_equal(np.asarray(Image.open(tmp_path / "single/03.png")), answers[3])
    split.codec.write(batch, tmp_path / "sheet.png")
    assert Image.open(tmp_path / "sheet.png").mode == "RGB"
    # What was written as arrays is a set of pairs again.
    check(everything(Pairs(path=str(tmp_path / "all.npz"), holdout=0)), given, answers)


def test_the_synthetic_set_needs_only_packages():
    split = Pairs().open()
    assert split.train.fields["input"].shape == split.train.fields["image"].shape == (1, 8, 8)
    assert len(split.train) + len(split.heldout) == 1797
    assert "synthetic" in split.train.notes[0]
    batch = split.train.fetch(range(100))
    total = batch["input"].int() + batch["image"].int()  # the dilated digit
    largest = torch.nn.functional.max_pool2d(batch["image"].float(), 3, 1, 1).int()
    assert torch.equal(total, largest)
