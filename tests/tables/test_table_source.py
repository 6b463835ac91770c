"""Training by sampling: the law of conditions and rows, and its determinism."""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from zerosum.data.order import Order
from zerosum.data.visits import Visits
from zerosum.modalities.tables import TableCodec
from zerosum.modalities.tables.source import TableSource

pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def made():
    """200 rows: a column of three categories, 150, 45 and 5 rows; one of two; and a number."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "a": ["x"] * 150 + ["y"] * 45 + ["z"] * 5,
            "n": rng.normal(size=200),
            "b": ["u", "v", "v", "v"] * 50,
        }
    ).sample(frac=1, random_state=0, ignore_index=True)
    codec = TableCodec.fit(frame)
    return frame, codec, TableSource(codec.stored(frame), codec.condition, name="made/train")


def visits(start, count, seed=5):
    return Visits(seed, np.arange(start, start + count))


def test_conditions_follow_the_logarithm_of_the_frequency(made):
    _, _, source = made
    n = 20_000
    batch = source.fetch([0] * n, visits(0, n))
    counts = batch["condition"].sum(0).numpy()
    logs = np.log1p([150, 45, 5]), np.log1p([50, 150])
    expected = n / 2 * np.concatenate([part / part.sum() for part in logs])
    assert chisquare(counts[:3], expected[:3] * counts[:3].sum() / (n / 2)).pvalue > 0.01
    assert chisquare(counts[3:], expected[3:] * counts[3:].sum() / (n / 2)).pvalue > 0.01
    assert abs(counts[:3].sum() - n / 2) < 3 * np.sqrt(n / 4)


def test_each_row_meets_its_condition_and_all_that_do_come_alike(made):
    frame, codec, source = made
    n = 20_000
    batch = source.fetch([0] * n, visits(0, n))
    spans = codec.row.categories()
    discrete = torch.cat([batch["row"][:, spans[c].start : spans[c].stop] for c in "ab"], 1)
    assert ((discrete * batch["condition"]).sum(1) == 1).all()
    rare = codec.decode(batch)[batch["condition"][:, 2].bool().numpy()]
    seen = rare["n"].round(5).value_counts()
    assert set(seen.index) == set(frame.loc[frame["a"] == "z", "n"].round(5))
    assert chisquare(seen).pvalue > 0.01


def test_a_visit_is_a_function_of_seed_and_number(made):
    _, _, source = made
    whole = source.fetch([0] * 100, visits(1000, 100))
    order = Order(len(source), 5)
    part = source.fetch(order(np.arange(1040, 1060)).tolist(), visits(1040, 20))
    for name in ("row", "condition"):
        assert torch.equal(whole[name][40:60], part[name])
    other = source.fetch([0] * 100, visits(1000, 100, seed=6))
    assert not torch.equal(whole["row"], other["row"])


def test_without_visits_rows_come_as_stored(made):
    frame, codec, source = made
    batch = source.fetch(range(200))
    decoded = codec.decode(batch)
    assert decoded["a"].tolist() == frame["a"].tolist()
    assert decoded["b"].tolist() == frame["b"].tolist()
    some = source.fetch([7, 7, 150])
    for name in ("row", "condition"):
        assert torch.equal(some[name], batch[name][[7, 7, 150]])
    assert torch.equal(codec.encode(frame)["condition"], batch["condition"])


def test_stored_conditions_have_the_data_s_own_frequencies():
    frame = pd.DataFrame({"a": ["x", "x", "x", "y"] * 1000, "b": ["u", "v"] * 2000})
    codec = TableCodec.fit(frame)
    counts = codec.encode(frame)["condition"].sum(0).numpy()
    assert chisquare(counts, [1500, 500, 1000, 1000]).pvalue > 0.01


def test_a_table_of_numbers_has_no_condition():
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=60)})
    codec = TableCodec.fit(frame)
    source = TableSource(codec.stored(frame), codec.condition, name="x/train")
    assert list(source.fields) == ["row"]
    batch = source.fetch([3, 5], visits(0, 2))
    assert torch.equal(batch["row"], source.fetch([3, 5])["row"]) and list(batch) == ["row"]
