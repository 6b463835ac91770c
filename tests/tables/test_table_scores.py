"""Scores of tables on cases whose values are known, and baselines that keep what they promise."""

import numpy as np
import pytest

from zerosum.errors import UserError
from zerosum.modalities.tables import TableCodec
from zerosum.modalities.tables.baselines import bootstrap, copula, marginals, smote
from zerosum.modalities.tables.fitting import Rules
from zerosum.modalities.tables.privacy import closest, nearest_rows
from zerosum.modalities.tables.scores import (
    column_coverage,
    column_shapes,
    cramers_v,
    ks_distance,
    missing_rates,
    pair_trends,
    quality,
)
from zerosum.modalities.tables.utility import LEARNERS, area, discriminative, f1, utility
from zerosum.modalities.tables.view import views

pd = pytest.importorskip("pandas")


def test_ks_distance_by_hand():
    one, other = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0])
    assert ks_distance(one, other) == 0.5
    assert ks_distance(one, one[::-1]) == 0
    assert ks_distance(one, np.array([np.nan, 1.0, 2.0, 2.5])) == 0.5  # a missing one is none
    assert ks_distance(one, np.array([np.nan])) == 1


def test_shape_of_categories_is_total_variation():
    real = pd.DataFrame({"a": list("xxyz"), "b": list("uvuv")})
    fake = pd.DataFrame({"a": list("xyyw"), "b": list("uuuu")})
    shapes = column_shapes(**dict(zip(("real", "fake"), views(real, fake))))
    # x: 1/2 and 1/4, y: 1/4 and 1/2, z: 1/4 and 0, an unknown one: 0 and 1/4
    assert shapes == {"a": 0.5, "b": 0.5}


def test_missing_values_and_coverage_by_hand():
    """A quarter of `a` is missing where a half is, nothing of `n`; one of three words comes up."""
    real = pd.DataFrame({"a": ["x", "y", "z", None] * 5, "n": np.arange(20.0)})
    fake = pd.DataFrame({"a": ["x", None] * 10, "n": np.linspace(-5, 9.5, 20)})
    one, other = views(real, fake)
    assert missing_rates(real=one, fake=other) == pytest.approx(1 - 0.25 / 2)
    # The missing word is a category too: two of four; and half of the range of n.
    assert column_coverage(real=one, fake=other) == pytest.approx((2 / 4 + 9.5 / 19) / 2)
    # Columns are compared over the rows that have a value: x 1/3 and 1.
    assert column_shapes(real=one, fake=other)["a"] == pytest.approx(1 / 3)


def test_pairs_of_numbers_compare_correlations():
    x = np.arange(20.0)
    real, fake = pd.DataFrame({"x": x, "y": 3 * x + 1}), pd.DataFrame({"x": x, "y": -x})
    pair = pair_trends(**dict(zip(("real", "fake"), views(real, fake))))["x", "y"]
    assert pair.likeness == pytest.approx(0) and pair.strength == pytest.approx(1)
    assert pair.related


def test_pairs_of_categories_compare_tables():
    real = pd.DataFrame({"a": list("xxyy") * 10, "b": list("uuvv") * 10})
    fake = pd.DataFrame({"a": list("xxyy") * 10, "b": list("uvuv") * 10})
    one, other = views(real, fake)
    found = quality(real=one, fake=other)
    # (x,u) and (y,v) have 1/2 and 1/4, the others 0 and 1/4
    assert found.by_pair["a", "b"].likeness == pytest.approx(0.5)
    assert found.by_pair["a", "b"].strength == pytest.approx(1)
    assert (found.shapes, found.pairs, found.overall) == pytest.approx((1, 0.5, 0.75))
    assert quality(real=one, fake=one).overall == 1


def test_a_number_beside_a_category_is_put_into_bins():
    real = pd.DataFrame({"n": np.arange(100.0), "c": ["low"] * 50 + ["high"] * 50})
    fake = pd.DataFrame({"n": np.arange(100.0), "c": ["low"] * 60 + ["high"] * 40})
    one, other = views(real, fake)
    pair = pair_trends(real=one, fake=other)["n", "c"]
    assert pair.likeness == pytest.approx(0.9)  # one bin of ten changes sides
    assert pair.strength == pytest.approx(1)


def test_unrelated_pairs_do_not_count():
    rng = np.random.default_rng(0)
    real = pd.DataFrame({"a": rng.integers(0, 3, 3000), "b": rng.integers(0, 3, 3000)})
    real["c"] = real["a"]
    fake = marginals(real, 3000, 1)
    one, other = views(real, fake)
    found = quality(real=one, fake=other)
    assert [k for k, pair in found.by_pair.items() if pair.related] == [("a", "c")]
    assert found.pairs == pytest.approx(found.by_pair["a", "c"].likeness)
    assert found.pairs == pytest.approx(1 / 3, abs=0.03)  # three of nine cells hold everything


def test_cramers_v_equals_scipy():
    from scipy.stats.contingency import association

    table = np.array([[12, 3, 7], [1, 0, 9], [4, 4, 4]])
    assert cramers_v(table) == pytest.approx(association(table, method="cramer"))
    assert cramers_v(np.array([[5, 0], [0, 0]])) == 0


def test_area_equals_scikit_learn():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    positive, negative = rng.normal(1, 1, 80).round(1), rng.normal(0, 1, 120).round(1)
    truth = np.r_[np.ones(80), np.zeros(120)]
    value, variance = area(positive, negative)
    assert value == pytest.approx(roc_auc_score(truth, np.r_[positive, negative]))
    draws = [area(rng.choice(positive, 80), rng.choice(negative, 120))[0] for _ in range(2000)]
    assert np.sqrt(variance) == pytest.approx(np.std(draws), rel=0.1)


@pytest.fixture(scope="module")
def telling():
    """900 rows whose class is known from a number and a category."""
    rng = np.random.default_rng(0)
    x, kind = rng.normal(size=900), rng.choice(["p", "q"], 900)
    label = np.where(x + 2 * (kind == "p") + rng.normal(size=900) / 3 > 1, "yes", "no")
    return pd.DataFrame({"x": x, "kind": kind, "label": label})


def test_utility_of_the_real_and_of_shuffled_rows(telling):
    train, held = telling.iloc[:600].reset_index(drop=True), telling.iloc[600:]
    apart = marginals(train, 600, 0)
    real, same, other, fresh = views(train, train, apart, held)
    assert real.target == "label"
    for learner in LEARNERS:
        good = utility(real=real, fake=same, held_out=fresh, learner=learner)
        assert set(good.real) == {"auc", "f1"} and good.synthetic == good.real
        assert all(score > 0.85 for score in good.real.values())
        assert all(s.interval[0] < s.value < s.interval[1] for s in good.real.values())
    bad = utility(real=real, fake=other, held_out=fresh)
    assert bad.synthetic["auc"] == pytest.approx(0.5, abs=0.2)
    wrong = views(train, train, held, target="z")
    with pytest.raises(UserError, match="no column 'z' to predict"):
        utility(real=wrong[0], fake=wrong[1], held_out=wrong[2])


def test_r2_of_a_line_is_that_of_its_noise():
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    frame = pd.DataFrame({"x": x, "y": 3 * x + rng.normal(size=4000)})  # 9 of 10 parts
    real, fake, held = views(frame[:2000], marginals(frame[:2000], 2000, 0), frame[2000:])
    found = utility(real=real, fake=fake, held_out=held, learner="linear")
    assert found.real["r2"] == pytest.approx(0.9, abs=0.01)
    low, high = found.real["r2"].interval
    assert low < found.real["r2"].value < high < low + 0.02
    assert found.synthetic["r2"] == pytest.approx(0, abs=0.05)


def test_f1_by_hand():
    truth = np.array([True, True, True, False, False, False, False, False])
    said = np.array([True, True, False, True, False, False, False, False])
    found = f1(truth, said)  # precision 2/3, recall 2/3
    assert found == pytest.approx(2 / 3) and found.interval[0] < 2 / 3 < found.interval[1]
    assert f1(truth, ~truth) == 0 and f1(truth, truth) == 1


def test_a_classifier_tells_shuffled_rows_from_real_ones(telling):
    """Rows of one law cannot be told apart: the area is a half, within its interval."""
    one, other = views(telling.iloc[:450], telling.iloc[450:])
    alike = discriminative(real=one, fake=other)
    assert alike.interval[0] < 0.5 < alike.interval[1]
    one, apart = views(telling, marginals(telling, 900, 0))
    assert discriminative(real=one, fake=apart).interval[0] > 0.6


def test_distance_to_the_closest_row_by_hand():
    train = pd.DataFrame({"n": np.arange(0.0, 22.0, 2.0), "c": list("aaaaaabbbbb")})
    rows = pd.DataFrame({"n": [4.0, 5.0, 100.0], "c": ["a", "b", "b"]})
    one, other = views(train, rows)
    distances, places = nearest_rows(other, one)
    # the span is 20; row 2 is 1/20 from 4 and 6 in n, and 1 in c, or 7/20 in n and none in c
    assert distances.tolist() == pytest.approx([0, 7 / 20 / 2, 1 / 2])
    assert places.tolist()[:2] == [2, 6]


def test_copies_are_found(telling):
    train, held = telling.iloc[:600].reset_index(drop=True), telling.iloc[600:]
    real, copied, fresh = views(train, train.sample(200, random_state=0), held)
    found = closest(train=real, fake=copied, held_out=fresh)
    assert found.ratio == 0 and found.copies == (1.0, 0.0) and found.n == 200
    # A copy is nearest to its own row where that is drawn, which half of the 600 are.
    assert found.share == pytest.approx(0.75, abs=0.1) and found.share.n_real == 300
    other = views(telling, marginals(telling, 900, 3), telling.iloc[::-1])
    assert closest(train=other[0], fake=other[1], held_out=other[2]).share == 0.5  # all are ties
    alike = closest(train=real, fake=fresh, held_out=fresh)
    assert alike.ratio == 1


def test_marginals_keep_columns_and_lose_pairs(telling):
    rows = marginals(telling, 20_000, 1)
    assert rows["x"].mean() == pytest.approx(telling["x"].mean(), abs=0.03)
    assert (rows["label"] == "yes").mean() == pytest.approx(
        (telling["label"] == "yes").mean(), abs=0.02
    )
    high = rows["x"] > rows["x"].median()
    assert abs((rows["label"] == "yes")[high].mean() - (rows["label"] == "yes").mean()) < 0.02
    pd.testing.assert_frame_equal(rows, marginals(telling, 20_000, 1))


def test_copula_keeps_a_known_correlation():
    rng = np.random.default_rng(0)
    z = rng.multivariate_normal([0, 0], [[1, -0.7], [-0.7, 1]], 4000)
    frame = pd.DataFrame({"a": np.exp(z[:, 0]), "b": z[:, 1] ** 3, "c": "one"})
    frame.loc[:39, "b"] = np.nan
    codec = TableCodec.fit(frame, Rules())
    rows = copula(frame, codec, 20_000, 2)
    assert list(rows.columns) == ["a", "b", "c"]
    assert set(rows["a"]) <= set(frame["a"]) and (rows["c"] == "one").all()
    assert rows["b"].isna().mean() == pytest.approx(0.01, abs=0.005)
    ranks = rows.dropna()[["a", "b"]].rank()
    # Spearman's rho of a Gaussian copula is 6/pi arcsin(r/2)
    expected = 6 / np.pi * np.arcsin(-0.7 / 2)
    assert ranks["a"].corr(ranks["b"]) == pytest.approx(expected, abs=0.03)


def test_a_bootstrap_holds_only_training_rows(telling):
    rows = bootstrap(telling, 500, 0)
    assert len(rows) == 500
    known = set(telling.itertuples(index=False, name=None))
    assert set(rows.itertuples(index=False, name=None)) <= known
    pd.testing.assert_frame_equal(rows, bootstrap(telling, 500, 0))


def test_smote_lies_between_rows_of_one_class():
    """Two classes on two parallel lines: what is made lies on them, and its class says which."""
    rng = np.random.default_rng(0)
    side, x = rng.random(400) < 0.25, rng.uniform(0, 1, 400)
    frame = pd.DataFrame({"x": x, "y": 2 * x + 10 * side, "label": np.where(side, "b", "a")})
    frame.loc[:19, "word"] = None
    frame.loc[20:, "word"] = np.where(side[20:], "B", "A")
    frame["twice"] = frame["x"].where(rng.random(400) < 0.8)
    codec = TableCodec.fit(frame, target="label")
    rows = smote(codec.inner(frame), codec, 1000, 1)
    assert len(rows) == 1000
    assert np.allclose(rows["y"] - 2 * rows["x"], 10 * (rows["label"] == "b"))
    assert (rows["label"] == "b").mean() == pytest.approx(side.mean(), abs=0.04)
    known = rows.dropna(subset="word")
    assert (known["word"].str.lower() == known["label"]).all()
    assert 0.05 < rows["twice"].isna().mean() < 0.35
    assert not set(rows["x"]) & set(frame["x"])  # between rows, not on them
    pd.testing.assert_frame_equal(rows, smote(codec.inner(frame), codec, 1000, 1))


def test_smote_without_a_class_and_with_a_class_of_one():
    rng = np.random.default_rng(0)
    plain = pd.DataFrame({"x": rng.normal(size=90), "y": rng.normal(size=90)})
    codec = TableCodec.fit(plain)
    assert len(smote(codec.inner(plain), codec, 70, 0)) == 70
    plain["kind"] = ["only", *["a", "b"] * 44, "a"]
    codec = TableCodec.fit(plain, target="kind")
    assert len(smote(codec.inner(plain), codec, 300, 0)) == 300


def test_what_the_codec_noted_is_heeded():
    """The target that was said, and not the last column; no identifier that was made anew."""
    frame = pd.DataFrame(
        {
            "key": [f"k-{i}" for i in range(60)],
            "size": np.arange(60) % 40 * 1.5,
            "kind": ["a", "b", "c"] * 20,
        }
    )
    codec = TableCodec.fit(frame, target="size")
    real, fake = (codec.decode(codec.encode(frame)) for _ in range(2))
    found = views(real, fake)
    assert [view.target for view in found] == ["size", "size"]
    assert found[0].names == ["size", "kind"]
