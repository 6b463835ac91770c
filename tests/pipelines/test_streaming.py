"""Samples written as they are drawn: the same files, and no more in memory than a part."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import zerosum
from zerosum.data.codec import joined
from zerosum.errors import UserError
from zerosum.modalities.tables.codec import TableCodec
from zerosum.modalities.tables.kinds import Rules

pd = pytest.importorskip("pandas")


def parts_of(batch, size):
    """A batch in parts of at most so many."""
    n = len(next(iter(batch.values())))
    for start in range(0, n, size):
        yield {name: value[start : start + size] for name, value in batch.items()}


@pytest.fixture(scope="module")
def table():
    """Identifiers that outgrow their type, rare values, gaps and dates."""
    rng, n = np.random.default_rng(0), 120
    frame = pd.DataFrame(
        {
            "id": np.arange(n, dtype=np.int8),
            "key": [f"K{i:05d}" for i in range(n)],
            "town": [f"town{i}" for i in rng.zipf(1.3, n).clip(max=90)],
            "pay": np.where(rng.random(n) < 0.2, np.nan, rng.normal(10, 3, n).round(2)),
            "born": pd.date_range("1950-01-01", periods=n, freq="40D"),
            "seen": pd.date_range("2024-01-01", periods=n, freq="6h"),  # one in four at midnight
            "flag": rng.random(n) < 0.5,
        }
    )
    return frame, TableCodec.fit(frame, Rules(categories=12))


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".tsv", ".parquet"])
def test_rows_in_parts_are_the_file_that_they_are_at_once(suffix, table, tmp_path):
    frame, codec = table
    batch = codec.encode(frame)
    assert codec.write(batch, tmp_path / f"whole{suffix}") == 120
    assert codec.write_parts(parts_of(batch, 7), 120, tmp_path / f"parts{suffix}") == 120
    whole, parts = (tmp_path / f"{name}{suffix}" for name in ("whole", "parts"))
    if suffix == ".parquet":
        whole, parts = pd.read_parquet(whole), pd.read_parquet(parts)
        pd.testing.assert_frame_equal(whole, parts)
        assert parts["id"].tolist() == [*range(120, 240)] and parts["id"].dtype == "int64"
        assert any(column.rare for column in codec.learned if column.name == "town")
    else:
        assert whole.read_bytes() == parts.read_bytes()
        read = pd.read_csv(whole, sep=None, engine="python")
        assert read["born"].str.len().unique().tolist() == [10]
        assert read["seen"].str.fullmatch(r"2024-\d\d-\d\d \d\d:00:00").all()


def test_a_parquet_column_may_be_missing_from_the_first_part(tmp_path):
    frame = pd.DataFrame({"a": [1.5, 2.5] * 20, "b": [None] * 20 + ["x", "y"] * 10})
    codec = TableCodec.fit(frame)
    batch = codec.encode(frame)
    codec.write_parts(parts_of(batch, 10), 40, tmp_path / "rows.parquet")
    read = pd.read_parquet(tmp_path / "rows.parquet")
    assert read["b"].isna().sum() == 20 and read["b"].dropna().tolist() == ["x", "y"] * 10


@pytest.mark.parametrize("out", ["rows", "sheet.png", "arrays.npz"])
def test_pictures_in_parts_are_the_files_that_they_are_at_once(out, labelled, tmp_path):
    codec = zerosum.load(labelled).codec
    batch = {"image": torch.rand(11, 1, 8, 8) * 2 - 1, "label": torch.arange(11) % 10}
    folders = tmp_path / "whole", tmp_path / "parts"
    for folder in folders:
        (folder / "rows").mkdir(parents=True)
    assert codec.write(batch, folders[0] / out) == 11
    assert codec.write_parts(parts_of(batch, 4), 11, folders[1] / out) == 11
    names = [sorted(path.relative_to(f) for path in f.rglob("*.*")) for f in folders]
    assert names[0] == names[1] and len(names[0]) == (11 if out == "rows" else 1)
    if out != "arrays.npz":
        assert all(
            (folders[0] / n).read_bytes() == (folders[1] / n).read_bytes() for n in names[0]
        )


def test_what_is_drawn_and_written_at_once_is_what_is_drawn_first(labelled, tmp_path, monkeypatch):
    generator, held = zerosum.load(labelled), []
    monkeypatch.setattr("zerosum.pipelines.streaming.HELD", 100 * 65)  # 8 x 8 pixels and a label
    monkeypatch.setattr(
        "zerosum.pipelines.streaming.joined",
        lambda parts: held.append(joined(parts)) or held[-1],
    )
    told = []
    written = generator.write_drawn(
        300, tmp_path / "now", seed=3, label=[k % 10 for k in range(300)],
        on_progress=lambda done, n: told.append((done, n)),
    )  # fmt: skip
    assert written == 300 and [len(part["image"]) for part in held] == [128, 128, 44]
    assert told == [(64, 300), (128, 300), (192, 300), (256, 300), (300, 300)]
    samples = generator.draw(300, seed=3, label=[k % 10 for k in range(300)])
    generator.write(samples, tmp_path / "then")
    now, then = (sorted((tmp_path / name).iterdir()) for name in ("now", "then"))
    assert [path.name for path in now] == [path.name for path in then] and len(now) == 300
    assert all(one.read_bytes() == two.read_bytes() for one, two in zip(now, then))


def test_what_fails_in_the_middle_leaves_nothing(labelled, tmp_path, monkeypatch):
    generator = zerosum.load(labelled)
    monkeypatch.setattr("zerosum.pipelines.streaming.HELD", 64 * 65)
    sample, calls = generator.game.sample, []

    def diverging(n, **given):
        calls.append(n)
        made = sample(n, **given)
        return made | {"image": made["image"] * float("nan")} if len(calls) == 3 else made

    monkeypatch.setattr(generator.game, "sample", diverging)
    with pytest.raises(UserError, match="draws NaN or infinity"):
        generator.write_drawn(200, tmp_path / "out")
    assert len(calls) == 3 and list(tmp_path.iterdir()) == []
