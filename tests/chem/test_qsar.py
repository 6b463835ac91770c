"""QSAR: trees as arrays, splits, uncertainty, and no reward outside the domain."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from zerosum.chem import fitting
from zerosum.chem.fingerprints import (
    likeness,
    morgan,
    morgan_counts,
    own_distances,
    scaffold,
    tanimoto,
)
from zerosum.chem.fitting import METRICS, fit, random_split, scaffold_split
from zerosum.chem.forest import Forest
from zerosum.chem.lists import canonical
from zerosum.chem.molecules import logp, rdkit
from zerosum.chem.qsar import ARRAYS, FACTS, OUTSIDE, QSARModel, logit, platt
from zerosum.chem.scorers import scorer
from zerosum.data.places import data_folder
from zerosum.errors import UserError

ENDS = ("", "O", "N", "F", "C#N", "C=O", "C(N)=O", "OC", "C(C)=O", "Cl", "CO", "CN", "S")
RINGS = ("c1ccccc1", "C1CCCCC1", "c1ccncc1", "C1CCNCC1", "C1CCOC1", "c1ccsc1", "C1CC1", "c1ccoc1")


@pytest.fixture(scope="module")
def molecules():
    """Rings with one group, and chains: a hundred and more, each once."""
    made = [ring[:2] + f"({end})" + ring[2:] if end else ring for ring in RINGS for end in ENDS]
    made += ["C" * length + end for length in (2, 4, 6, 8) for end in ENDS]
    return list(dict.fromkeys(filter(None, map(canonical, made))))


@pytest.fixture(scope="module")
def lipophilic(molecules):
    """A model of logP."""
    values = np.array([logp(rdkit().MolFromSmiles(text)) for text in molecules])
    return fit(molecules, values, "logP", trees=40, seed=1)


@pytest.mark.parametrize("kind", [RandomForestRegressor, RandomForestClassifier])
def test_arrays_predict_as_scikit_learn_does(kind, tmp_path):
    rng = np.random.default_rng(0)
    known, asked = rng.normal(size=(200, 10)), rng.normal(size=(700, 10))
    truth = known[:, 0] + known[:, 1] ** 2 + rng.normal(size=200)
    truth = truth > 1 if kind is RandomForestClassifier else truth
    fitted = kind(25, random_state=3).fit(known, truth)
    save_file(Forest.of(fitted).arrays(), tmp_path / "a.safetensors")
    forest = Forest.load(load_file(tmp_path / "a.safetensors"), 10)
    if kind is RandomForestClassifier:
        wanted = fitted.predict_proba(asked)[:, 1]
    else:
        wanted = fitted.predict(asked)
    np.testing.assert_allclose(forest.trees(asked).mean(1), wanted, rtol=0, atol=1e-12)
    one = fitted.estimators_[7]
    classes = kind is RandomForestClassifier
    single = one.predict_proba(asked)[:, 1] if classes else one.predict(asked)
    np.testing.assert_allclose(forest.trees(asked)[:, 7], single, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("left", 0, 0),  # a way without an end
        ("right", 0, 10**6),
        ("feature", 0, 10),
        ("roots", 1, -1),
    ],
)
def test_damaged_trees_are_refused_before_they_are_followed(name, place, value):
    rng = np.random.default_rng(0)
    known = rng.normal(size=(50, 10))
    forest = Forest.of(RandomForestRegressor(3, random_state=0).fit(known, known[:, 0]))
    arrays = {key: one.copy() for key, one in forest.arrays().items()}
    arrays[f"forest.{name}"][place] = value
    with pytest.raises(ValueError, match="its trees are damaged"):
        Forest.load(arrays, 10)


def test_fingerprints_by_hand():
    found = morgan(["CC", "CO", "CC"])
    # Ethane has two environments, a carbon and the whole; methanol has a carbon, which is the
    # same, an oxygen, and the whole.
    assert found.sum(1).tolist() == [2, 3, 2]
    np.testing.assert_allclose(tanimoto(found, found)[0], [1, 1 / 4, 1])
    np.testing.assert_allclose(own_distances(found[:2]), [3 / 4, 3 / 4])
    np.testing.assert_allclose(own_distances(found), [0, 3 / 4, 0])
    np.testing.assert_allclose(likeness(found[1:2], found[[0, 2]]), [1 / 4])
    assert morgan_counts(["CC"]).max() == 2.0


def test_scaffolds():
    assert scaffold("CCO") == ""
    assert scaffold("Cc1ccccc1CC1CC1") == "c1ccc(CC2CC2)cc1"


def test_a_scaffold_split_by_hand():
    """Groups of 5, 3, 1 and 1: 5 and 3 fit into 8 of 10, the rare ones are the test."""
    rings = ["C1CC1" + "C" * n for n in range(5)] + ["C1CCC1" + "C" * n for n in range(3)]
    train, test = scaffold_split([*rings, "CCO", "C1CCCC1"])
    assert (train.tolist(), test.tolist()) == ([0, 1, 2, 3, 4, 5, 6, 7], [8, 9])
    # Of 9 molecules 7 may train: the group of 3 does not fit, the single ones do.
    train, test = scaffold_split([*rings, "CCO"])
    assert (train.tolist(), test.tolist()) == ([0, 1, 2, 3, 4, 8], [5, 6, 7])


def test_no_scaffold_is_on_both_sides(molecules):
    train, test = scaffold_split(molecules)
    sides = [{scaffold(molecules[row]) for row in rows} for rows in (train, test)]
    assert not sides[0] & sides[1]
    assert sorted([*train, *test]) == list(range(len(molecules)))


def test_a_random_split_is_a_function_of_its_seed():
    train, test = random_split(100, 4)
    assert (len(train), len(test)) == (80, 20)
    assert sorted([*train, *test]) == list(range(100))
    np.testing.assert_array_equal(random_split(100, 4)[1], test)
    assert random_split(100, 5)[1].tolist() != test.tolist()


def test_figures_by_hand():
    truth, guess = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0, 6.0])
    assert METRICS["R2"](truth, guess) == pytest.approx(1 - 4 / 5)
    assert METRICS["RMSE"](truth, guess) == 1.0
    classes, chances = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.1, 0.6, 0.4, 0.9])
    assert METRICS["AUC"](classes, chances) == 0.75
    assert METRICS["Brier"](classes, chances) == pytest.approx((0.01 + 0.36 + 0.36 + 0.01) / 4)


def test_intervals_hold_all_resamples_of_equal_errors():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=50)
    guesses = {"forest": truth + 0.5, "linear": truth - 0.2}
    rows = fitting._figures("random", truth, guesses, False, rng)
    rmse = {row.model: (row.value, row.low, row.high) for row in rows if row.metric == "RMSE"}
    assert rmse["forest"] == pytest.approx((0.5, 0.5, 0.5))
    assert rmse["linear"] == pytest.approx((0.2, 0.2, 0.2))
    assert rmse["difference"] == pytest.approx((0.3, 0.3, 0.3))


def test_the_interval_of_a_mean_squared_error_is_the_bootstraps():
    """Half the errors are 0 and half are 1: the share of ones is binomial."""
    rng = np.random.default_rng(0)
    truth = np.zeros(400)
    guess = np.repeat([0.0, 1.0], 200)
    rows = fitting._figures("random", truth, {"forest": guess, "linear": guess}, False, rng)
    rmse = next(row for row in rows if (row.model, row.metric) == ("forest", "RMSE"))
    half = 1.96 * np.sqrt(0.25 / 400)
    assert rmse.low**2 == pytest.approx(0.5 - half, abs=0.01)
    assert rmse.high**2 == pytest.approx(0.5 + half, abs=0.01)


def test_out_of_bag_by_hand():
    said = np.array([[1.0, 3.0, 8.0], [2.0, 4.0, 6.0], [5.0, 5.0, 5.0]])
    seen = [np.array([0, 0, 2]), np.array([1, 2]), np.array([0, 2])]
    mean, spread = fitting._out_of_bag(said, seen)
    np.testing.assert_allclose(mean, [3.0, 4.0, np.nan])  # trees 1; 0 and 2; none
    np.testing.assert_allclose(spread[:2], [0.0, 2.0])


def test_the_conformal_quantile_by_hand():
    """Of nine ratios the ninth: ceil(10 x 0.9); the floor is the median spread."""
    off = np.arange(1.0, 10.0)
    assert fitting._conformal(off, np.full(9, 0.5)) == (9.0, 0.5)
    assert fitting._conformal(np.arange(1.0, 20.0), np.full(19, 0.5)) == (18.0, 0.5)


def test_the_logistic_curve_finds_what_made_the_votes():
    rng = np.random.default_rng(0)
    odds = rng.normal(size=20_000) * 2
    truth = (rng.random(20_000) < 1 / (1 + np.exp(-(0.5 * odds - 1)))).astype(float)
    slope, intercept = fitting._logistic(odds, truth)
    assert (slope, intercept) == pytest.approx((0.5, -1.0), abs=0.05)
    assert platt(np.array([0.5]), 100, slope, -1.0)[0] == pytest.approx(1 / (1 + np.e))
    np.testing.assert_allclose(logit(np.array([0.0, 0.5, 1.0]), 10), [-np.log(19), 0, np.log(19)])


def test_a_saved_model_says_the_same(lipophilic, molecules, tmp_path):
    model = lipophilic.model
    model.save(tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == [FACTS, ARRAYS]
    again = QSARModel.load(tmp_path)
    first, second = model.predict(molecules), again.predict(molecules)
    for name in ("value", "low", "high", "distance", "inside"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert again.facts == model.facts


def test_the_domain_ends_at_the_quantile_of_the_sets_own_distances(lipophilic, molecules):
    own = own_distances(morgan(molecules))
    assert lipophilic.model.facts.limit == pytest.approx(np.quantile(own, 0.95))
    said = lipophilic.model.predict([molecules[0], "OS(=O)(=O)c1nnnn1Br"])
    assert said.distance[0] == 0.0 and said.inside.tolist() == [True, False]


def test_there_is_no_reward_outside_the_domain(lipophilic, molecules, tmp_path):
    lipophilic.model.save(tmp_path)
    facts = lipophilic.model.facts
    with scorer(f"qsar:{tmp_path}") as score:
        found = score.table([molecules[0], "OS(=O)(=O)c1nnnn1Br"])
    assert found.reasons == ["", OUTSIDE]
    assert np.isnan(found.score[1])
    value = lipophilic.model.predict(molecules[:1]).value[0]
    wanted = np.clip((value - facts.low) / (facts.high - facts.low), 0, 1)
    assert found.score[0] == pytest.approx(wanted, rel=1e-12)


def test_a_range_turns_the_reward_round(lipophilic, molecules, tmp_path):
    lipophilic.model.save(tmp_path)
    with scorer(f"qsar[6..-2]:{tmp_path}") as score:
        found = score.table(molecules[:1])
    value = found.values[f"qsar:{tmp_path}"][0]
    assert found.score[0] == pytest.approx((6 - value) / 8, rel=1e-12)


def test_intervals_cover_what_they_promise():
    """Noise that grows with the molecule, unknown to the forest: 90 % within tolerance."""
    made = [
        f"{a}{'C' * n}{b}" for n in range(1, 25) for a in ("C", "N", "O", "F", "S") for b in ENDS
    ]
    smiles = list(dict.fromkeys(filter(None, map(canonical, made))))
    sizes = np.array([rdkit().MolFromSmiles(text).GetNumAtoms() for text in smiles])
    values = np.random.default_rng(5).normal(size=len(smiles)) * sizes / 10
    found = fit(smiles, values, "noise", trees=40, seed=2)
    part = next(one for one in found.parts if one.split == "random")
    # 0.9 plus and minus three standard errors of a share among the test molecules.
    assert abs(part.covered - 0.9) <= 3 * np.sqrt(0.09 / part.test)


def _esol():
    folder = data_folder()
    return folder / "molecules" / "delaney-processed.csv.gz" if folder else None


@pytest.mark.skipif(_esol() is None or not _esol().is_file(), reason="ESOL is not here")
def test_esol():
    from zerosum.pipelines.qsar import read_measured

    measured = read_measured(_esol(), "measured log solubility in mols per litre")
    assert len(measured.smiles) == 1117
    found = fit(measured.smiles, measured.values, "solubility", trees=20)
    part = next(one for one in found.parts if one.split == "random")
    assert abs(part.covered - 0.9) <= 3 * np.sqrt(0.09 / part.test)
    r2 = {(row.split, row.model): row for row in found.rows if row.metric == "R2"}
    assert r2["random", "forest"].value == pytest.approx(0.78, abs=0.03)
    assert r2["random", "linear"].value == pytest.approx(0.82, abs=0.01)
    assert r2["scaffold", "linear"].value == pytest.approx(0.71, abs=0.01)
    for row in r2.values():
        assert row.low < row.value < row.high
    gap = r2["random", "forest"].value - r2["random", "linear"].value
    assert r2["random", "difference"].value == pytest.approx(gap, abs=1e-12)


def test_classes(molecules, tmp_path):
    """Which molecules hold a benzene ring: plain from their environments."""
    values = np.array([float("c1ccccc1" in text or "c1ccc" in text) for text in molecules])
    found = fit(molecules, values, "aromatic", positive="yes", trees=40)
    auc = {(row.split, row.model): row.value for row in found.rows if row.metric == "AUC"}
    assert (auc["random", "forest"], auc["random", "linear"]) == (1.0, 1.0)
    said = found.model.predict(molecules)
    assert ((said.value > 0.5) == (values > 0.5)).all() and np.isnan(said.low).all()
    found.model.save(tmp_path)
    with scorer(f"qsar:{tmp_path}") as score:
        assert score(molecules[:1])[0] == pytest.approx(said.value[0], rel=1e-12)


@pytest.mark.parametrize(
    ("count", "values", "positive", "line"),
    [
        (10, np.arange(10.0), "", "10 molecules with a value of 'y': a model needs 20 or more"),
        (30, np.ones(30), "", "'y' is the same for all molecules: there is nothing to predict"),
        (30, np.eye(1, 30)[0], "1", "'y' has a class of 1 molecules: each needs 5"),
    ],
)
def test_too_little_to_learn_from(molecules, count, values, positive, line):
    with pytest.raises(UserError) as told:
        fit(molecules[:count], values, "y", positive=positive)
    assert str(told.value) == line


def test_one_scaffold_alone_has_no_scaffold_split():
    smiles = [canonical("C" * n + end) for n in range(1, 9) for end in ENDS]
    smiles = list(dict.fromkeys(smiles))
    found = fit(smiles, np.arange(float(len(smiles))), "y", trees=10)
    assert {row.split for row in found.rows} == {"random"}
    assert found.notes == (
        "no scaffold split: one scaffold alone holds more than 80% of the molecules",
    )


@pytest.mark.parametrize("harm", ["gone", "cut", "json", "facts", "molecules"])
def test_a_model_that_cannot_be_read_is_one_line(lipophilic, tmp_path, harm):
    lipophilic.model.save(tmp_path)
    facts = json.loads((tmp_path / FACTS).read_text())
    if harm == "gone":
        (tmp_path / ARRAYS).unlink()
    elif harm == "cut":
        (tmp_path / ARRAYS).write_bytes((tmp_path / ARRAYS).read_bytes()[:1000])
    elif harm == "json":
        (tmp_path / FACTS).write_text("{")
    else:
        facts |= {"strange": 1} if harm == "facts" else {"molecules": 7}
        (tmp_path / FACTS).write_text(json.dumps(facts))
    line = "holds no QSAR model: make one with" if harm == "gone" else "fit the model anew"
    with pytest.raises(UserError, match=line):
        QSARModel.load(tmp_path)
