"""Series: reading, parts, scales, statistics, judges, baselines and scores."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from zerosum.errors import UserError
from zerosum.metrics.sets import Embedded, Sets
from zerosum.modalities.series import MODALITY, Series, SeriesCodec, made
from zerosum.modalities.series import statistics as of
from zerosum.modalities.series.baselines import autoregression, block_bootstrap, garch
from zerosum.modalities.series.judges import discriminative, predictive
from zerosum.modalities.series.scores import METRICS


def table(tmp_path: Path, rows: int = 60, name: str = "a.csv", holes=()) -> str:
    path = tmp_path / name
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["day", "price", "volume"])
        for row in range(rows):
            price = "" if row in holes else f"{100 + row}"
            writer.writerow([f"2024-01-{row % 28 + 1:02d}", price, 1000 - 3 * row])
    return str(path)


# -- reading and parts -----------------------------------------------------------------------


def test_a_table_becomes_windows_that_share_no_step_with_those_kept_aside(tmp_path):
    split = Series(path=table(tmp_path), length=10, holdout=0.25).open()
    assert isinstance(split.codec, SeriesCodec) and split.heldout is not None
    assert split.codec.names == ("price", "volume")
    assert split.train.notes == ("columns left out: day",)
    assert (len(split.train), len(split.heldout)) == (45 - 10 + 1, 15 - 10 + 1)
    learned = split.codec.unscaled(split.train.finished(range(36))["series"])[:, :, 0]
    held = split.codec.unscaled(split.heldout.finished(range(6))["series"])[:, :, 0]
    assert learned.max() == pytest.approx(144) and held.min() == pytest.approx(145)
    assert learned[3].tolist() == pytest.approx(list(range(103, 113)))


def test_scales_are_those_of_the_training_part_alone(tmp_path):
    split = Series(path=table(tmp_path), length=10, holdout=0.25).open()
    series = split.train.finished(range(len(split.train)))["series"]
    assert series.amin((0, 1)).tolist() == [-1, -1] and series.amax((0, 1)).tolist() == [1, 1]
    assert split.heldout.finished([5])["series"].amax() > 1  # prices that were never seen
    standard = Series(path=table(tmp_path), length=10, scale="standard").open()
    assert standard.codec.middle[0] == pytest.approx(np.arange(100, 148).mean())


def test_strides_limits_and_returns(tmp_path):
    path = table(tmp_path)
    assert len(Series(path=path, length=10, stride=10, holdout=0).open().train) == 6
    assert len(Series(path=path, length=10, limit=7).open().train) == 7
    config = Series(path=path, length=5, columns=("price",), returns=True, holdout=0)
    split = config.open()
    found = split.codec.unscaled(split.train.finished([0])["series"])[0, :, 0]
    prices = np.arange(100, 106)
    assert found.tolist() == pytest.approx(np.diff(np.log(prices)).tolist(), rel=1e-5)


def test_arrays_with_labels_are_read_and_written_back(tmp_path):
    x = np.random.default_rng(0).normal(size=(12, 8, 2))
    np.savez(tmp_path / "a.npz", x=x, y=np.array(["up", "down"] * 6))
    split = Series(path=str(tmp_path / "a.npz"), holdout=0.25).open()
    assert split.codec.classes == ("down", "up") and split.codec.length == 8
    assert (len(split.train), len(split.heldout)) == (9, 3)
    batch = split.train.finished(range(9))
    assert split.codec.write(batch, tmp_path / "b.npz") == 9
    with np.load(tmp_path / "b.npz") as again:
        assert again["x"] == pytest.approx(split.codec.unscaled(batch["series"]))
        assert [*again["y"]] == [split.codec.classes[k] for k in batch["label"]]
    split.codec.write(batch, tmp_path / "b.csv")
    with (tmp_path / "b.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == ["series", "step", "label", "channel_1", "channel_2"]
    assert len(rows) == 1 + 9 * 8


def test_numbers_have_as_many_decimals_as_the_data(tmp_path):
    rows = [f"{100 + row / 4:.2f},{1000 - 3 * row},{math.sin(row)}" for row in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["price,volume,wave", *rows]))
    split = Series(path=str(tmp_path / "a.csv"), length=10, holdout=0).open()
    assert split.codec.decimals == (2, 0, None)
    real = split.train.finished([0, 30])
    assert split.codec.decode(real)[1][:, 0].tolist() == [107.5 + 0.25 * k for k in range(10)]
    noisy = {"series": real["series"] + 0.01 * torch.rand(2, 10, 3)}
    split.codec.write(noisy, tmp_path / "b.csv")
    with (tmp_path / "b.csv").open() as stream:
        found = [row[2:] for row in csv.reader(stream)][1:]
    assert all(re.fullmatch(r"1\d\d\.\d\d", row[0]) for row in found)
    assert all(re.fullmatch(r"\d{3,4}", row[1]) for row in found)
    assert max(len(row[2]) for row in found) > 8
    again = SeriesCodec.from_state(*split.codec.state())
    assert again.decimals == split.codec.decimals and again.hash == split.codec.hash


def test_a_codec_comes_back_from_its_state(tmp_path):
    codec = Series(path=table(tmp_path), length=10).open().codec
    again = SeriesCodec.from_state(*codec.state())
    assert again.hash == codec.hash
    objects = [np.stack([np.arange(100, 110), np.arange(10)], 1)]
    assert torch.equal(again.encode(objects)["series"], codec.encode(objects)["series"])
    assert np.allclose(again.decode(again.encode(objects))[0], objects[0], atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": ("prise",)}, "no column 'prise': did you mean price"),
        ({"columns": ("day",)}, "column 'day' of .* holds no numbers"),
        ({"length": 100}, "has 60 steps: too few for windows of 100"),
        ({"holes": (3, 9)}, "no number at step 4 of 'price' \\(2 in all\\): set data.missing"),
        ({"returns": True, "rows": 400}, "'volume' of .* is .* returns need prices above 0"),
    ],
)
def test_bad_tables_are_told_in_a_line(tmp_path, changes, words):
    rows, holes = changes.pop("rows", 60), changes.pop("holes", ())
    path = table(tmp_path, rows, holes=holes)
    with pytest.raises(UserError, match=words) as caught:
        Series(path=path, **changes).open()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.png", b"x", "is no series"),
        ("a.csv", b"\xff\xfe\x00x", "not UTF-8|cannot be read"),
        ("a.csv", b"", "cannot be read"),
        ("a.npy", b"junk", "cannot be read"),
        ("a.parquet", b"junk", "cannot be read"),
    ],
)
def test_bad_files_are_told_in_a_line(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=words) as caught:
        Series(path=str(tmp_path / name)).open()
    assert "\n" not in str(caught.value)


def test_holes_are_filled_where_asked(tmp_path):
    config = Series(path=table(tmp_path, holes=(3, 4)), length=10, missing="interpolate")
    split = config.open()
    assert "missing values interpolated: 2" in split.train.notes
    series = split.codec.unscaled(split.train.finished([0])["series"])
    assert series[0, :, 0].tolist() == pytest.approx(list(range(100, 110)), rel=1e-5)


def test_inspect_counts(tmp_path):
    found = MODALITY.inspect(table(tmp_path, holes=(3,)))
    assert found.facts["channels"] == ["price", "volume"] and found.facts["missing"] == 1
    assert found.command.startswith("zerosum train timegan --data ")
    assert "missing values" in found.warnings[0]


# -- statistics ------------------------------------------------------------------------------


def ar(count=4_000, length=40, seed=0):
    return made.autoregression(count * length, seed).reshape(count, length, 1)


def test_autocorrelations_of_a_known_law():
    """Of an autoregression at lag k: 0.8 to the power of k."""
    found = of.autocorrelation(ar(), 5)[:, 0]
    assert found.tolist() == pytest.approx([0.8**k for k in range(1, 6)], abs=0.01)
    assert of.autocorrelation(np.ones((3, 9, 1)), 2).tolist() == [[0.0], [0.0]]


def test_correlations_kurtosis_volatility_and_leverage_of_known_laws():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 400, 500))
    series = np.stack([a, 0.6 * a + 0.8 * b], 2)
    assert of.correlations(series)[0, 1] == pytest.approx(0.6, abs=0.01)
    assert of.kurtosis(series).tolist() == pytest.approx([0, 0], abs=0.05)
    laplace = rng.laplace(size=(400, 500, 1))
    assert of.kurtosis(laplace)[0] == pytest.approx(3, abs=0.2)
    # A wild stretch in each series: sizes hang together where signs do not.
    wild = a[..., None] * np.where(np.arange(500) < 100, 3.0, 1.0)[None, :, None]
    assert abs(of.autocorrelation(wild, 1)[0, 0]) < 0.02
    # The size is 3 for a fifth of the steps: its variance over that of |size times normal|.
    expected = (2 / np.pi) * 0.64 / (2.6 - (2 / np.pi) * 1.4**2)
    assert of.volatility(wild, 1)[0, 0] == pytest.approx(expected, abs=0.01)
    falls = a[:, :-1, None]
    after = b[:, 1:, None] * np.where(falls < 0, 2.0, 1.0)
    both = np.stack([falls, after], 2).reshape(400, -1, 1)  # a fall, then what it does
    # E[x y^2] = -3 E|x| / 2 at every other step, over the deviations of steps and of squares.
    expected = -0.5 * 1.5 * (2 / np.pi) ** 0.5 / (1.75 * (14.25 - 1.75**2)) ** 0.5
    assert of.leverage(both, 1)[0, 0] == pytest.approx(expected, abs=0.01)


# -- judges ----------------------------------------------------------------------------------


def series_of(array):
    return torch.from_numpy(array).float()


def test_judges_cannot_tell_one_law_apart_but_another(monkeypatch):
    monkeypatch.setattr("zerosum.modalities.series.judges.STEPS", 60)
    real, same, held = (series_of(ar(300, 8, seed)) for seed in (0, 1, 2))
    assert discriminative(real, same, held, 0) < 0.15
    noise = torch.randn(300, 8, 1, generator=torch.Generator().manual_seed(0)) + 2
    before = torch.get_rng_state()
    found = discriminative(real, noise, held, 0)
    assert found > 0.3 and discriminative(real, noise, held, 0) == found
    assert torch.equal(torch.get_rng_state(), before)


def test_the_next_step_is_foretold_as_well_as_it_can_be(monkeypatch):
    """The best error of an autoregression is 0.6 times the mean absolute normal number."""
    monkeypatch.setattr("zerosum.modalities.series.judges.STEPS", 120)
    real, held = series_of(ar(1_500, 8, 0)), series_of(ar(500, 8, 1))
    best = 0.6 * (2 / np.pi) ** 0.5
    assert predictive(real, held, 0) == pytest.approx(best, abs=0.06)
    assert predictive(torch.zeros_like(real), held, 0) > 0.6


# -- baselines -------------------------------------------------------------------------------


def test_blocks_are_stretches_of_training_series():
    real = np.arange(20 * 30).reshape(20, 30, 1).astype(float)
    found = block_bootstrap(real, 200, np.random.default_rng(0))[:, :, 0]
    assert (found % 30 == np.arange(30)).all()  # each step at its own place
    joined = (np.diff(found, axis=1) == 1).mean()
    assert joined == pytest.approx(5 / 6 + 1 / 6 / 20, abs=0.01)


def test_the_autoregression_finds_the_law():
    found = autoregression(ar(500, 40), 4_000, np.random.default_rng(0))
    assert of.autocorrelation(found, 3)[:, 0].tolist() == pytest.approx(
        [0.8, 0.64, 0.512], abs=0.03
    )
    assert found.std() == pytest.approx(1, abs=0.03)


def test_garch_has_clusters_and_heavy_tails():
    pytest.importorskip("arch")

    def law(count, rng):
        steps, variance = np.empty(count), 1.0
        for k in range(count):
            steps[k] = np.sqrt(variance) * rng.standard_normal()
            variance = 0.05 + 0.15 * steps[k] ** 2 + 0.8 * variance
        return np.lib.stride_tricks.sliding_window_view(steps, 64)[..., None]

    found = garch(law(6_000, np.random.default_rng(0)), 500, np.random.default_rng(1))
    true = law(60_000, np.random.default_rng(2))
    assert found.std() == pytest.approx(1, abs=0.1)
    lag = of.volatility(true, 1)[0, 0]
    assert of.volatility(found, 1)[0, 0] == pytest.approx(lag, abs=0.05)
    assert abs(of.autocorrelation(found, 1)[0, 0]) < 0.03


# -- scores ----------------------------------------------------------------------------------


def sets(real, fake, held=None, labels=None):
    def one(series, label=None):
        examples = {"series": series} | ({} if label is None else {"label": label})
        return Embedded(series.flatten(1), None, examples, lambda: [*series.double().numpy()])

    labels = labels or (None, None, None)
    return Sets(
        one(real, labels[0]),
        one(fake, labels[1]),
        None if held is None else one(held, labels[2]),
        seed=0,
    )


def test_gaps_are_mean_absolute_differences():
    real, fake = ar(1_000, 10), np.random.default_rng(0).normal(size=(1_000, 10, 1))
    ((name, score, about),) = METRICS["acf"].run(sets(series_of(real), series_of(fake)))
    expected = np.abs(of.autocorrelation(real, 5) - of.autocorrelation(fake, 5)).mean()
    assert name == "acf" and about == {"lags": 5}
    assert float(score) == pytest.approx(expected, rel=1e-4)
    with pytest.raises(UserError, match="there is one: leave it out"):
        METRICS["cross-correlation"].run(sets(series_of(real), series_of(fake)))


def test_usefulness_is_the_nearest_neighbours_accuracy():
    labels = torch.tensor([0, 1])
    real = torch.tensor([[[0.0]], [[1.0]]])
    fake = torch.tensor([[[0.9]], [[0.1]]])  # the wrong way round
    held = torch.tensor([[[0.05]], [[0.95]], [[0.2]]])
    truth = torch.tensor([0, 1, 1])
    found = METRICS["tstr"].run(sets(real, fake, held, (labels, labels, truth)))
    assert {name: float(score) for name, score, _ in found} == {
        "tstr-accuracy": pytest.approx(1 / 3),
        "trtr-accuracy": pytest.approx(2 / 3),
    }
