"""Constraints: kept by every sample, whatever a network draws; and how they are declared."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum.data.codec import read_codec, write_codec
from zerosum.errors import UserError
from zerosum.modalities.tables import TableCodec
from zerosum.modalities.tables.baselines import copula, marginals
from zerosum.modalities.tables.config import Table
from zerosum.modalities.tables.constraints import check, kept, ordered
from zerosum.modalities.tables.kinds import Rules
from zerosum.modalities.tables.schema import Schema
from zerosum.modalities.tables.where import Standing, plan

pd = pytest.importorskip("pandas")

CONSTRAINTS = Schema.model_validate(
    {
        "constraints": [
            {"kind": "sum", "total": "total", "parts": ["price", "tax"]},
            {"kind": "at-most", "low": "start", "high": "end"},
            {"kind": "at-most", "low": ["end"], "high": "paid"},
            {"kind": "at-most", "low": ["least", "usual"], "high": "most"},
            {"kind": "combination", "columns": ["city", "land"]},
            {"kind": "positive", "columns": "price"},
            {"kind": "unique", "columns": ["city", "most"]},
        ]
    }
).constraints


def shop(n=400, seed=0):
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D")
    end = start + pd.to_timedelta(rng.geometric(0.2, n) - 1, "D")
    price, tax = np.round(rng.gamma(2, 20, n) + 0.01, 2), np.round(rng.gamma(1, 5, n), 2)
    least = rng.integers(0, 50, n).astype(float)
    usual = np.where(rng.random(n) < 0.2, np.nan, np.round(rng.random(n) * 60, 1))
    city = rng.choice(["Rome", "Milan", "Paris", "Lyon"], n)
    return pd.DataFrame(
        {
            "start": start.strftime("%Y-%m-%d"),
            "end": end.strftime("%Y-%m-%d"),
            "paid": end + pd.to_timedelta(rng.integers(0, 50_000, n), "s"),
            "price": price,
            "tax": tax,
            "total": np.round(price + tax, 2),
            "least": np.where(rng.random(n) < 0.1, np.nan, least),
            "usual": usual,
            "most": np.round(np.fmax(least, usual) + rng.gamma(2, 9, n) + np.arange(n) / 100, 2),
            "city": city,
            "land": np.where(np.isin(city, ["Rome", "Milan"]), "Italy", "France"),
        }
    )


@pytest.fixture(scope="module")
def rows():
    return shop()


@pytest.fixture(scope="module")
def codec(rows):
    return TableCodec.fit(rows, Rules(constraints=CONSTRAINTS, distinct=10))


def noise(codec, n, seed):
    """Rows as the worst of networks draws them: any numbers, any category."""
    rng = torch.Generator().manual_seed(seed)
    return {"row": 3 * torch.randn(n, *codec.row.shape, generator=rng)}


def holds(frame):
    """The constraints in plain words, apart from `unique`."""
    start, end = pd.to_datetime(frame["start"]), pd.to_datetime(frame["end"])
    most = frame["most"]
    return {
        "dates": bool((start <= end).all() and (end <= frame["paid"]).all()),
        "most": not ((frame["least"] > most) | (frame["usual"] > most)).any(),
        "sum": bool((np.round(frame["price"] + frame["tax"], 2) == frame["total"]).all()),
        "positive": bool((frame["price"] > 0).all()),
        "pairs": set(zip(frame["city"], frame["land"]))
        <= {("Rome", "Italy"), ("Milan", "Italy"), ("Paris", "France"), ("Lyon", "France")},
    }


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_whatever_is_drawn_keeps_the_constraints(codec, seed):
    frame = codec.decode(noise(codec, 200, seed))
    assert holds(frame) == dict.fromkeys(holds(frame), True)


@pytest.mark.slow
def test_a_hundred_thousand_samples_keep_the_constraints(codec):
    frame = codec.decode(noise(codec, 100_000, 0))
    assert holds(frame) == dict.fromkeys(holds(frame), True)
    rows = [c for c in codec.constraints if c.kind != "unique"]
    assert kept(rows, frame).all()


def test_types_and_ranges_are_those_of_the_data(rows, codec):
    frame = codec.decode(noise(codec, 300, 1))
    assert list(frame.columns) == list(rows.columns)
    for name in rows.columns:
        assert frame[name].dtype == rows[name].dtype
        if name not in ("total", "city", "land"):  # a sum may be greater than all that were seen
            assert rows[name].min() <= frame[name].min(), name
            assert frame[name].max() <= rows[name].max(), name
    assert [c.name for c in codec.hidden] == [
        "end - start", "most - least - usual", "city + land", "paid - end"
    ]  # fmt: skip


def test_real_rows_come_back(rows, codec, tmp_path):
    """The codec is exact on what it was fitted on, read back from its file too."""
    write_codec(codec, tmp_path)
    again = read_codec(TableCodec, tmp_path)
    assert again is not None and again.hash == codec.hash
    back = again.decode(again.encode(rows))
    exact = ["start", "price", "tax", "total", "least", "usual", "city", "land"]
    pd.testing.assert_frame_equal(back[exact], rows[exact])
    # A distance has its own modes, whose ends cut off the farthest values, as in any column.
    assert (back["end"] == rows["end"]).mean() > 0.97
    assert (back["most"] - rows["most"]).abs().median() == 0


def test_rows_that_break_them_are_not_held_out(rows, codec):
    broken = rows.head(6).copy()
    broken.loc[0, "end"] = "2019-12-31"
    broken.loc[1, "total"] += 1
    broken.loc[2, "land"] = "France" if broken.loc[2, "land"] == "Italy" else "Italy"
    broken.loc[3, "price"] = -1.0
    assert codec.knows(broken).tolist() == [False, False, False, False, True, True]


def test_unique_rows_are_told_apart_across_batches(rows, codec):
    batch = codec.encode(rows.head(5))
    standing = Standing(codec)
    assert standing(batch).tolist() == [True] * 5
    assert standing(batch).tolist() == [False] * 5
    twice = {"row": batch["row"][[0, 1, 0]]}
    assert Standing(codec)(twice).tolist() == [True, True, False]


def test_a_combination_is_asked_for_by_its_parts(rows, codec):
    found = plan(["land=Italy"], codec)
    choice = next(c for c in codec.condition.choices if c.column == "city + land")
    shares = found.shares[choice.start : choice.start + 4]
    italian = [rows["city"].eq(city).sum() if city in ("Rome", "Milan") else 0
               for city in (name.split('"')[1] for name in choice.names)]  # fmt: skip
    assert shares.tolist() == pytest.approx([n / sum(italian) for n in italian])
    assert found.shares.sum() == pytest.approx(1)


def test_baselines_keep_them_too(rows, codec):
    inner = codec.inner(rows)
    for frame in (marginals(inner, 300, 0), copula(inner, codec, 300, 0)):
        found = holds(codec.decode(codec.encode_inner(frame)))
        assert found == dict.fromkeys(found, True)


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        ({"kind": "at-most", "low": "end", "high": "start"},
         r"constraint 'end <= start': 3\d\d of 400 rows break it, the first is row \d+ \(end="),
        ({"kind": "sum", "total": "price", "parts": ["total", "tax"]}, "'price = total \\+ tax'"),
        ({"kind": "positive", "columns": ["tax", "least"]}, r"'tax > 0 and least > 0': \d+ of"),
        ({"kind": "unique", "columns": ["city"]}, "'city unique': 396 of 400 rows"),
        ({"kind": "at-most", "low": "tax", "high": "paid"}, "compares dates with numbers"),
        ({"kind": "at-most", "low": "city", "high": "price"}, "'city' holds numbers, not '"),
        ({"kind": "at-most", "low": "tax", "high": "prize"}, "no column 'prize': did you mean pr"),
    ],
)  # fmt: skip
def test_data_that_break_a_constraint_are_named(rows, tmp_path, constraint, words):
    rows.to_csv(tmp_path / "rows.csv", index=False)
    schema = Schema.model_validate({"constraints": [constraint]})
    with pytest.raises(UserError, match=words):
        Table(path=str(tmp_path / "rows.csv"), schema=schema).open()


def test_constraints_that_cannot_be_joined_are_named():
    def of(*parts):
        return Schema.model_validate({"constraints": parts}).constraints

    two = of({"kind": "at-most", "low": "a", "high": "c"},
             {"kind": "sum", "total": "c", "parts": ["a", "b"]})  # fmt: skip
    with pytest.raises(UserError, match="'a <= c' and 'c = a \\+ b' both determine 'c'"):
        ordered(two, ["a", "b", "c"])
    circle = of({"kind": "at-most", "low": "a", "high": "b"},
                {"kind": "at-most", "low": "b", "high": "a"})  # fmt: skip
    with pytest.raises(UserError, match="'a <= b' and 'b <= a' need each other"):
        ordered(circle, ["a", "b"])


def test_a_part_that_is_missing_has_no_total():
    frame = pd.DataFrame({"a": [1.0, np.nan], "b": [2.0, 2.0], "c": [3.0, 5.0]})
    total = Schema.model_validate(
        {"constraints": [{"kind": "sum", "total": "c", "parts": ["a", "b"]}]}
    ).constraints
    with pytest.raises(UserError, match="1 of 2 rows break it, the first is row 2"):
        check(total, frame)
