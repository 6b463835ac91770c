"""Sharp pictures and the small ones made of them."""

import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from zerosum.data.visits import Visits
from zerosum.errors import UserError
from zerosum.modalities.images.degradations import (
    FIRST,
    SECOND,
    bicubic,
    blurred,
    gaussian_noise,
    jpeg,
    kernel,
    noisy,
    poisson_noise,
    second_order,
    sinc,
    some_kernel,
)
from zerosum.modalities.images.degraded import Degraded


def sample(number: int = 0) -> np.ndarray:
    """A photograph (3, 427, 640)."""
    from sklearn.datasets import load_sample_images

    return np.ascontiguousarray(load_sample_images().images[number].transpose(2, 0, 1))


def visits(count: int, first: int = 0, seed: int = 0) -> Visits:
    return Visits(seed, np.arange(first, first + count))


def folder(place: Path, sizes: dict[str, tuple[int, int]]) -> Path:
    """Pictures of noise by name, of (height, width)."""
    rng = np.random.default_rng(0)
    for name, (height, width) in sizes.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return place


# -- crops --------------------------------------------------------------------------------------


def test_inputs_are_pieces_of_the_bicubic_reduction_of_the_whole_picture():
    split = Degraded(path="samples", scale=4, crop=32).open()
    high = sample()[:, :424, :640]
    small = np.asarray(Image.fromarray(high.transpose(1, 2, 0)).resize((160, 106), 3))
    batch = split.train.fetch([0] * 8, visits(8))
    assert batch["input"].shape == (8, 3, 8, 8) and batch["image"].shape == (8, 3, 32, 32)
    places = set()
    for low, answer in zip(batch["input"].numpy(), batch["image"].numpy()):
        found = np.argwhere(
            (
                np.lib.stride_tricks.sliding_window_view(high, (3, 32, 32))[0, ::4, ::4] == answer
            ).all((2, 3, 4))
        )
        top, left = found[0]
        assert np.array_equal(low, small.transpose(2, 0, 1)[:, top : top + 8, left : left + 8])
        places.add((int(top), int(left)))
    assert len(places) == 8


def test_bicubic_reduction_keeps_a_constant_and_a_ramp():
    assert (bicubic(np.full((3, 16, 16), 77, np.uint8), (4, 4)) == 77).all()
    ramp = np.broadcast_to(np.arange(0, 256, 4, dtype=np.uint8), (1, 16, 64)).copy()
    inner = bicubic(ramp, (4, 16))[0, 1, 2:-2]
    # the centre of each block of four: 6, 22, 38, ...
    assert inner.tolist() == [6 + 16 * step for step in range(2, 14)]


def test_a_visit_decides_all_and_workers_see_the_same():
    split = Degraded(path="samples", scale=2, crop=16, degradation="second-order").open()
    whole = split.train.fetch(list(range(8)), visits(8))
    parts = [split.train.fetch([n], visits(1, n)) for n in range(8)]
    other = pickle.loads(pickle.dumps(split.train)).fetch(list(range(8)), visits(8))
    for key in ("input", "image"):
        assert torch.equal(whole[key], torch.cat([part[key] for part in parts]))
        assert torch.equal(whole[key], other[key])
    again = split.train.fetch(list(range(8)), visits(8, seed=1))
    assert not torch.equal(whole["image"], again["image"])


def test_what_does_not_fit_in_memory_is_read_when_asked_for_and_is_the_same():
    held = Degraded(path="samples", scale=2, crop=16).open().train
    read = Degraded(path="samples", scale=2, crop=16, memory=0.001).open().train
    assert held.in_memory and not read.in_memory
    for key, value in held.fetch([3, 5], visits(2)).items():
        assert torch.equal(value, read.fetch([3, 5], visits(2))[key])


def test_heldout_crops_lie_side_by_side_around_the_centre_and_stay(tmp_path: Path):
    folder(tmp_path, {f"train/{n}.png": (40, 40) for n in range(2)})
    folder(tmp_path, {"test/a.png": (33, 50), "test/b.png": (16, 18)})
    split = Degraded(path=str(tmp_path), scale=2, crop=16).open()
    assert split.heldout is not None and len(split.heldout) == 2 * 3 + 1
    assert split.heldout_note == "the set's own test part (2 pictures), in 7 crops"
    pixels = np.asarray(Image.open(tmp_path / "test/a.png")).transpose(2, 0, 1)
    # 32 of 33 rows (the last is cut), 48 of 50 columns: from row 0 and column 1, on the grid of
    # small pixels from column 0; the most central crop of each picture comes first
    first = split.heldout.fetch([0])["image"][0].numpy()
    assert np.array_equal(first, pixels[:, :16, 16:32])
    second = split.heldout.fetch([1])["image"][0].numpy()
    other = np.asarray(Image.open(tmp_path / "test/b.png")).transpose(2, 0, 1)
    assert np.array_equal(second, other[:, :, :16])
    assert torch.equal(split.heldout.fetch([4])["input"], split.heldout.fetch([0, 4])["input"][1:])


def test_no_picture_gives_crops_to_both_parts(tmp_path: Path):
    levels = {}
    for number in range(8):
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (32, 32), (number * 30,) * 3).save(path)
        levels[number * 30] = path
    split = Degraded(path=str(tmp_path), scale=2, crop=16, holdout=0.25).open()
    assert split.heldout is not None
    ours = set(split.train.fetch(range(len(split.train)))["image"].flatten().tolist())
    theirs = set(split.heldout.fetch(range(len(split.heldout)))["image"].flatten().tolist())
    assert len(ours) == 6 and len(theirs) == 2 and not ours & theirs


# -- counterparts -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("high", "low"),
    [
        ("HR/a.png", "LR/a.png"),
        ("train_HR/a.png", "train_LR_bicubic/X2/ax2.png"),
        ("image_SRF_2/img_a_SRF_2_HR.png", "image_SRF_2/img_a_SRF_2_LR.png"),
        ("gt/a.png", "lq/a.jpg"),
    ],
)
def test_counterparts_are_matched_by_name(tmp_path: Path, high: str, low: str):
    folder(tmp_path, {high: (32, 40), low: (16, 20)})
    batch = Degraded(path=str(tmp_path), scale=2, crop=32, holdout=0).open().train.fetch([0])
    given = np.asarray(Image.open(tmp_path / low)).transpose(2, 0, 1)
    assert np.array_equal(batch["input"][0].numpy(), given[:, :, 2:18])


def test_counterparts_of_other_scales_are_left_out(tmp_path: Path):
    folder(tmp_path, {"HR/a.png": (32, 32), "LR/X2/ax2.png": (16, 16), "LR/X4/ax4.png": (8, 8)})
    split = Degraded(path=str(tmp_path), scale=4, crop=32, holdout=0).open()
    assert split.train.fetch([0])["input"].shape == (1, 3, 8, 8)
    assert "pictures of other scales are left out: 1" in split.train.notes


def test_pairs_that_do_not_fit_are_named(tmp_path: Path):
    folder(tmp_path, {"HR/a.png": (32, 40), "LR/a.png": (16, 19)})
    with pytest.raises(UserError, match=r"HR/a.png is 32x40 and LR/a.png is 16x19, not 2 times"):
        Degraded(path=str(tmp_path), scale=2, crop=16).open()
    folder(tmp_path, {"LR/a.png": (16, 20), "HR/b.png": (32, 32)})
    with pytest.raises(UserError, match=r"have no counterpart of the same name: HR/b.png"):
        Degraded(path=str(tmp_path), scale=2, crop=16).open()


def test_pictures_smaller_than_a_crop_are_named(tmp_path: Path):
    folder(tmp_path, {"a.png": (32, 32), "b.png": (32, 15)})
    with pytest.raises(UserError, match=r"b.png is 32x15, smaller than data.crop=16: lower it"):
        Degraded(path=str(tmp_path), scale=2, crop=16).open()


def test_bad_pictures_are_named_or_skipped(tmp_path: Path):
    folder(tmp_path, {f"{n}.png": (32, 32) for n in range(4)})
    (tmp_path / "2.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"2.png cannot be read"):
        Degraded(path=str(tmp_path), scale=2, crop=16, holdout=0).open()
    split = Degraded(path=str(tmp_path), scale=2, crop=16, holdout=0, skip_bad=True).open()
    assert len(split.train) == 3 * 4 and split.train.skipped == ("2.png",)


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match=r"data.crop=30 is no multiple of data.scale=4: take 32"):
        Degraded(crop=30)
    with pytest.raises(ValueError, match=r"cropped, not resized: set data.crop"):
        Degraded(size=(64, 64))
    with pytest.raises(ValueError, match="transparency is not learned"):
        Degraded(channels=4)


def test_grey_pictures_stay_grey(tmp_path: Path):
    for number in range(2):
        Image.new("L", (32, 32), number).save(tmp_path / f"{number}.png")
    split = Degraded(path=str(tmp_path), scale=2, crop=16).open()
    assert split.train.shapes == {"input": (1, 8, 8), "image": (1, 16, 16)}


# -- the second-order degradation ---------------------------------------------------------------


def test_a_gaussian_kernel_has_its_covariance():
    side, across, along, angle = 41, 2.0, 4.0, 0.6
    weights = kernel(side, across, along, angle).astype(float)
    y, x = np.mgrid[:side, :side] - side // 2
    found = [(weights * a * b).sum() for a, b in ((x, x), (x, y), (y, y))]
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    wanted = turn @ np.diag([across**2, along**2]) @ turn.T
    assert found == pytest.approx([wanted[0, 0], wanted[0, 1], wanted[1, 1]], rel=1e-4)


def test_other_kernels_have_their_forms():
    def ratio(weights: np.ndarray) -> float:
        return float(weights[10, 12] / weights[10, 10])  # two pixels from the centre

    q = (2 / 1.5) ** 2
    assert ratio(kernel(21, 1.5, 1.5, 0, 0.7)) == pytest.approx(math.exp(-(q**0.7) / 2), rel=1e-4)
    assert ratio(kernel(21, 1.5, 1.5, 0, 1.3, plateau=True)) == pytest.approx(
        1 / (1 + q**1.3), rel=1e-4
    )


def test_the_sinc_filter_passes_low_frequencies_and_stops_high_ones():
    weights = sinc(101, 1.5).astype(float)
    x = np.arange(101) - 50
    across = weights.sum(0)
    passed = [abs((across * np.exp(1j * w * x)).sum()) for w in (0.5, 1.0, 2.0, 2.5)]
    assert passed == pytest.approx([1, 1, 0, 0], abs=0.05)


def test_every_kernel_sums_to_one_and_keeps_a_constant():
    rng = np.random.default_rng(0)
    even = np.full((3, 24, 24), 91, np.uint8)
    for _ in range(60):
        weights = some_kernel(rng, FIRST.width)
        assert weights.sum() == pytest.approx(1, abs=1e-4)
        assert weights.shape[0] in (7, 9, 11, 13, 15, 17, 19, 21)
        assert (blurred(even, weights) == 91).all()


def test_noise_has_its_variance():
    rng = np.random.default_rng(0)
    levels = np.full((3, 200, 200), 0.5, np.float32)
    for grey, alike in ((False, 0.0), (True, 1.0)):
        noise = gaussian_noise(levels, rng, 20.0, grey)
        assert float(noise.std()) == pytest.approx(20 / 255, rel=0.02)
        assert np.corrcoef(noise.reshape(3, -1))[0, 1] == pytest.approx(alike, abs=0.02)
        noise = poisson_noise(levels, rng, 3.0, grey)
        # counts of mean 128 have the variance 128: 3^2 0.5 / 256
        assert float(noise.var()) == pytest.approx(9 * 0.5 / 256, rel=0.03)
        assert float(noise.mean()) == pytest.approx(0, abs=2e-3)


def test_half_of_the_noise_is_gaussian_and_two_fifths_of_it_grey():
    rng, seen = np.random.default_rng(0), []
    picture = np.zeros((3, 8, 8), np.uint8)  # black: Poisson noise leaves it as it is
    for _ in range(400):
        made = noisy(picture, rng, SECOND)
        seen.append((bool(made.any()), bool((made == made[:1]).all())))
    gaussian = [grey for changed, grey in seen if changed]
    assert len(gaussian) / 400 == pytest.approx(0.5, abs=0.08)
    assert sum(gaussian) / len(gaussian) == pytest.approx(0.4, abs=0.11)


def test_jpeg_loses_more_at_lower_quality():
    picture = sample()[:, :64, :64]
    lost = [float(np.abs(jpeg(picture, q).astype(int) - picture).mean()) for q in (95, 60, 30)]
    assert lost[0] < lost[1] < lost[2]
    assert jpeg(picture[:1], 80).shape == (1, 64, 64)


@pytest.mark.parametrize("scale", [2, 4])
def test_the_whole_degradation_has_its_size_and_is_decided_by_its_seed(scale: int):
    picture = sample()[:, 100:164, 100:196]
    made = [second_order(picture, scale, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert made[0].shape == (3, 64 // scale, 96 // scale) and made[0].dtype == np.uint8
    assert np.array_equal(made[0], made[1]) and not np.array_equal(made[0], made[2])
    # poorer than the plain reduction, yet the same picture: the mean of many is near it
    plain = bicubic(picture, (64 // scale, 96 // scale)).astype(float)
    many = np.mean([second_order(picture, scale, np.random.default_rng(n)) for n in range(40)], 0)
    assert np.corrcoef(many.ravel(), plain.ravel())[0, 1] > 0.9
