"""The codec: exact round trips of every kind of column, its state, and what it refuses."""

import json

import numpy as np
import pytest
import torch

from zerosum.data.codec import read_codec, write_codec
from zerosum.errors import UserError
from zerosum.modalities.tables import TableCodec
from zerosum.modalities.tables.columns import Discrete, Fixed, Identifier, LeftOut, Number
from zerosum.modalities.tables.fitting import Rules, mixture
from zerosum.modalities.tables.steady import SteadyCodec

pd = pytest.importorskip("pandas")

N = 300


@pytest.fixture(scope="module")
def table():
    """Each kind of column, with missing values where there may be some."""
    rng = np.random.default_rng(0)
    whole = rng.integers(-500, 4000, N)
    money = np.round(rng.gamma(2.0, 30.0, N), 2)
    holes = rng.random(N) < 0.1
    gain = np.where(rng.random(N) < 0.7, 0, rng.integers(100, 9000, N))
    return pd.DataFrame(
        {
            "id": np.arange(N) + 1000,
            "whole": whole,
            "money": np.where(holes, np.nan, money),
            "holes": pd.Series(whole * 2).where(~holes).astype("Int64"),
            "gain": gain,
            "few": rng.integers(0, 4, N),
            "half": rng.integers(0, 4, N) / 2,
            "flag": rng.random(N) < 0.3,
            "word": pd.Series(rng.choice(["a", "b", "c"], N)).where(rng.random(N) < 0.8),
            "city": [f"c{i}" for i in (rng.pareto(1.0, N) * 8).astype(int).clip(0, 120)],
            "same": "x",
            "none": np.nan,
            "day": pd.date_range("2020-01-01", periods=N, freq="36h").strftime("%Y-%m-%d"),
            "moment": pd.date_range("2020-01-01", periods=N, freq="977s"),
            "note": [f"a long text of number {i} here" for i in range(N)],
            "key": [f"k{i:05d}" for i in range(N)],
            "kind": pd.Categorical(rng.choice(["u", "v"], N)),
        }
    )


RULES = Rules(categories=20, distinct=10)


@pytest.fixture(scope="module")
def codec(table):
    return TableCodec.fit(table, RULES)


def test_kinds(codec):
    kinds = {column.name: type(column) for column in codec.columns}
    assert [n for n, k in kinds.items() if k is Number] == [
        "whole", "money", "holes", "gain", "day", "moment"
    ]  # fmt: skip
    assert [n for n, k in kinds.items() if k is Discrete] == [
        "few", "half", "flag", "word", "city", "kind"
    ]  # fmt: skip
    assert [n for n, k in kinds.items() if k is Fixed] == ["same", "none"]
    reasons = {c.name: c.reason for c in codec.columns if isinstance(c, LeftOut)}
    assert reasons == {"note": "free text: 300 different texts in 300 rows"}
    anew = {c.name: c.reason for c in codec.columns if isinstance(c, Identifier)}
    assert anew == {
        "id": "a different number in every row",
        "key": "identifiers: 300 different texts in 300 rows",
    }


def test_round_trip_is_exact(table, codec):
    decoded = codec.decode(codec.encode(table)).drop(columns=["id", "key"])
    kept = table.drop(columns=["id", "note", "key"])
    assert list(decoded.columns) == list(kept.columns)
    # Rare categories share one, from which decoding draws: all others come back.
    rare = next(c for c in codec.columns if c.name == "city").rare
    common = ~kept["city"].isin(list(rare)).to_numpy()
    assert set(decoded["city"][~common]) <= set(rare)
    kept.loc[~common, "city"] = decoded.loc[~common, "city"]
    # A number that lies beyond 4 deviations of its mode is cut there; none does here.
    pd.testing.assert_frame_equal(decoded, kept)


def test_modes_of_a_number(table, codec):
    gain = next(c for c in codec.columns if c.name == "gain")
    assert gain.spikes == (0.0,) and not gain.missing
    holes = next(c for c in codec.columns if c.name == "holes")
    assert holes.missing and holes.modes == len(holes.means) + 1
    row = codec.encode(table)["row"]
    spans = {(s.column, s.part): s for s in codec.row.spans}
    modes = spans["holes", "modes"]
    missing = table["holes"].isna().to_numpy().copy()
    assert (row[:, modes.stop - 1].bool().numpy() == missing).all()
    assert (row[missing, spans["holes", "scalar"].start] == 0).all()
    spike = spans["gain", "modes"].stop - 1
    assert (row[:, spike].bool().numpy() == (table["gain"] == 0).to_numpy()).all()


def test_scalar_is_the_place_in_its_mode(table, codec):
    column = next(c for c in codec.columns if c.name == "whole")
    spans = {(s.column, s.part): s for s in codec.row.spans}
    row = codec.encode(table)["row"].double().numpy()
    modes = row[:, spans["whole", "modes"].start : spans["whole", "modes"].stop].argmax(1)
    means, stds = np.array(column.means)[modes], np.array(column.stds)[modes]
    place = (table["whole"].to_numpy() - means) / (4 * stds)
    np.testing.assert_allclose(row[:, spans["whole", "scalar"].start], place, atol=1e-6)


def test_every_span_is_one_hot(table, codec):
    row = codec.encode(table)["row"]
    assert row.shape == (N, *codec.row.shape)
    ends = [0]
    for span in codec.row.spans:
        assert span.start == ends[-1]
        ends.append(span.stop)
        part = row[:, span.start : span.stop]
        if span.part == "scalar":
            assert span.width == 1 and part.abs().max() <= 1
        else:
            assert (part.sum(1) == 1).all() and set(part.unique().tolist()) == {0.0, 1.0}
    assert ends[-1] == codec.row.shape[0]


def test_condition_is_met_by_its_row(table, codec):
    batch = codec.encode(table)
    row, condition = batch["row"], batch["condition"]
    discrete = torch.cat(
        [row[:, s.start : s.stop] for s in codec.row.spans if s.part == "category"], 1
    )
    assert (condition.sum(1) == 1).all()
    assert ((discrete * condition).sum(1) == 1).all()
    counts = torch.tensor([n for choice in codec.condition.choices for n in choice.counts])
    assert (discrete.sum(0) == counts).all()


def test_state_gives_the_same_codec(table, codec, tmp_path):
    facts, tensors = codec.state()
    again = TableCodec.from_state(json.loads(json.dumps(facts)), tensors)
    assert again.columns == codec.columns and again.hash == codec.hash
    write_codec(codec, tmp_path)
    kept = read_codec(TableCodec, tmp_path)
    assert kept is not None and kept.fields == codec.fields
    batch = codec.encode(table)
    assert torch.equal(kept.encode(table)["row"], batch["row"])
    pd.testing.assert_frame_equal(kept.decode(batch), codec.decode(batch))


def test_fitting_is_the_same_each_time(table, codec):
    assert TableCodec.fit(table.copy(), RULES).hash == codec.hash


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz", "rows.tsv", "rows.parquet"])
def test_written_rows_are_read_again(table, codec, tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    batch = codec.encode(table)
    codec.write(batch, tmp_path / name)
    read = (
        pd.read_parquet(tmp_path / name)
        if name.endswith("parquet")
        else pd.read_csv(tmp_path / name, sep="\t" if "tsv" in name else ",")
    )
    decoded = codec.decode(batch)
    assert list(read.columns) == list(decoded.columns)
    for column in ("whole", "money", "few", "flag", "gain", "half"):
        np.testing.assert_array_equal(read[column], decoded[column])
    with pytest.raises(UserError, match=r"rows are written to .csv, .csv.gz"):
        codec.write(batch, tmp_path / "rows.png")


def test_a_csv_comes_back_letter_by_letter(tmp_path):
    rng = np.random.default_rng(1)
    lines = ["size,price,kind,on"]
    for _ in range(80):
        kind, on = rng.choice(["a", "b", ""]), rng.choice(["true", "false"])
        lines.append(f"{rng.integers(100, 999)},{rng.integers(0, 9000) / 100:.1f},{kind},{on}")
    text = "\n".join(lines) + "\n"
    (tmp_path / "a.csv").write_text(text)
    from zerosum.modalities.tables.reading import read_table

    frame = read_table(tmp_path / "a.csv").frame
    codec = TableCodec.fit(frame)
    codec.write(codec.encode(frame), tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == text


def test_decoding_keeps_ranges_and_digits(codec):
    rng = torch.Generator().manual_seed(0)
    wild = torch.randn(500, *codec.row.shape, generator=rng) * 3
    frame = codec.decode({"row": wild})
    for column in codec.columns:
        if isinstance(column, Number) and not column.unit:
            values = frame[column.name].dropna().astype(float)
            assert values.min() >= column.low and values.max() <= column.high
            assert (values.round(column.decimals) == values).all()
        if isinstance(column, Discrete):
            assert set(frame[column.name].dropna()) <= {*column.values, *column.rare}
    assert str(frame["holes"].dtype) == "Int64" and frame["holes"].isna().any()


def test_rows_may_be_mappings(codec, table):
    some = table.head(5)
    one, other = codec.encode(some.to_dict("records")), codec.encode(some)
    assert torch.equal(one["row"], other["row"])


def test_what_encoding_refuses(codec, table):
    with pytest.raises(UserError, match="lacks the column 'whole'"):
        codec.encode(table.drop(columns="whole"))
    with pytest.raises(UserError, match=r"'few' knows no category '9' \(row 1\)"):
        codec.encode(table.head(2).assign(few=9))
    with pytest.raises(UserError, match=r"'whole' holds numbers, not 'many' \(row 2\)"):
        codec.encode(table.head(2).assign(whole=[1, "many"]))
    with pytest.raises(UserError, match=r"'whole' had no missing values .* row 1"):
        codec.encode(table.head(2).assign(whole=[np.nan, 2.0]))


def test_what_fitting_refuses(table):
    with pytest.raises(UserError, match=r"there is no column 'wholes': did you mean whole"):
        TableCodec.fit(table, Rules(kinds={"wholes": "number"}))
    with pytest.raises(UserError, match=r"target=wrd: .*did you mean word"):
        TableCodec.fit(table, RULES, "wrd")
    with pytest.raises(UserError, match=r"no column can be learned \(key: identifiers"):
        TableCodec.fit(table[["key", "same"]])
    mixed = pd.DataFrame({"a": pd.Series([1, "x", 2], dtype=object), "b": [1.5, 2.5, 3.5]})
    with pytest.raises(UserError, match=r"column 'a' mixes numbers and texts \('x' in row 2\)"):
        TableCodec.fit(mixed)


def test_said_kinds_win(table):
    codec = TableCodec.fit(table, Rules(kinds={"few": "number", "money": "skip"}))
    kinds = {column.name: column for column in codec.columns}
    assert isinstance(kinds["few"], Number) and kinds["money"].reason == "as asked"


def test_mixture_finds_two_far_modes():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(-10, 0.5, 3000), rng.normal(50, 2.0, 1000)])
    means, _, weights = mixture(values)
    assert len(means) <= 10 and weights.sum() == pytest.approx(1)
    low = means < 20
    assert weights[low].sum() == pytest.approx(0.75, abs=0.01)
    assert (means[low] @ weights[low]) / weights[low].sum() == pytest.approx(-10, abs=0.1)
    assert (means[~low] @ weights[~low]) / weights[~low].sum() == pytest.approx(50, abs=0.3)


def test_what_is_far_out_stays_so_whatever_encodes_it():
    """Rows for detectors: 40 deviations from the mean are 10 in a row, not the end of a mode."""
    values = np.tile([-1.0, 1.0], 100) * np.repeat([0.5, 1.5], 100)
    codec = SteadyCodec.fit(pd.DataFrame({"n": values + np.arange(200) * 1e-9}))
    far = pd.DataFrame({"n": [40 * values.std()]})
    for rows in (codec.encode(far)["row"], codec.stored(far).rows(torch.arange(1))):
        assert rows[0, 0].item() == pytest.approx(10, rel=1e-4)
