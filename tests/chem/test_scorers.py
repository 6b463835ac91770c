"""What a score is called, what its parts say, and how they become one number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zerosum.chem.desirability import desirability, geometric_mean
from zerosum.chem.grammar import Term, parse
from zerosum.chem.scorers import PARTS, scorer
from zerosum.errors import UserError

KNOWN = {"qed": "", "sa": "", "similarity": "actives.smi", "docking": "CA2", "command": "'p'"}


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("qed", [Term("qed")]),
        ("qed:2,sa", [Term("qed", weight=2.0), Term("sa")]),
        (" qed : 2 , sa ", [Term("qed", weight=2.0), Term("sa")]),
        ("docking:CA2", [Term("docking", "CA2")]),
        ("docking:CA2:0.5", [Term("docking", "CA2", 0.5)]),
        ("qed[0.2..0.9]:2", [Term("qed", "", 2.0, 0.2, 0.9)]),
        ("docking[-3..-8]:CA2", [Term("docking", "CA2", 1.0, -3.0, -8.0)]),
        ('similarity:"a,b:c.smi":3', [Term("similarity", "a,b:c.smi", 3.0)]),
        ("command:'p -x \"1,2\"':2,qed", [Term("command", 'p -x "1,2"', 2.0), Term("qed")]),
        ("docking:CA2,docking:DRD2", [Term("docking", "CA2"), Term("docking", "DRD2")]),
    ],
)
def test_a_score_reads_as_written(text, terms):
    assert parse(text, KNOWN) == terms


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "the score '' has an empty part: write it like qed:2,sa"),
        ("qed,", "the score 'qed,' has an empty part: write it like qed:2,sa"),
        ("qad", "there is no scorer 'qad': did you mean qed?"),
        ("qed:much", "the weight of qed is 'much', which is no number"),
        ("qed:0", "the weight of qed is 0: give a number above 0"),
        ("qed:nan", "the weight of qed is nan: give a finite number"),
        ("qed:1:2", "'qed:1:2' has a colon too many: put a name that holds one in quotes"),
        ("docking", "docking needs an argument, such as docking:CA2"),
        ("docking::2", "docking needs an argument, such as docking:CA2"),
        ("command:'p", "the score 'command:'p' opens a quote (') and does not close it"),
        ("qed,qed:2", "the score 'qed,qed:2' names qed twice: give it one weight"),
        ("qed[1..1]", "qed[1..1]: a range has two different ends, such as qed[0..1]"),
        ("qed[a..1]", "the lower end of qed's range is 'a', which is no number"),
        ("qed[1]", "'qed[1]' is no part of a score: a range is written [LOW..HIGH]"),
    ],
)
def test_what_is_no_score_is_one_line(text, line):
    with pytest.raises(UserError) as told:
        parse(text, KNOWN)
    assert str(told.value) == line


def test_desirabilities_are_straight_lines_between_their_ends():
    values = np.array([0.0, 2.0, 5.0, 8.0, 11.0, np.nan])
    np.testing.assert_allclose(desirability(values, 2.0, 8.0), [0, 0, 0.5, 1, 1, np.nan])
    np.testing.assert_allclose(desirability(values, 8.0, 2.0), [1, 1, 0.5, 0, 0, np.nan])


def test_the_weighted_geometric_mean_by_hand():
    parts = np.array([[0.25, 0.0, 1.0, np.nan], [1.0, 1.0, 1.0, 0.5]])
    found = geometric_mean(parts, [1.0, 1.0])
    np.testing.assert_allclose(found, [0.5, 0.0, 1.0, np.nan])
    assert geometric_mean(parts, [3.0, 1.0])[0] == pytest.approx(0.25**0.75)


# Of paracetamol; QED, logP, TPSA and SA as RDKit's authors and PubChem give them, to their digits.
PARACETAMOL = "CC(=O)Nc1ccc(O)cc1"


def test_properties_of_paracetamol():
    with scorer("qed,logp,weight,tpsa,rings,sa,validity") as score:
        found = score.table([PARACETAMOL])
    values = {name: float(value[0]) for name, value in found.values.items()}
    assert values["weight"] == pytest.approx(151.165, abs=1e-3)
    assert values["tpsa"] == pytest.approx(49.33, abs=1e-9)
    assert values["logp"] == pytest.approx(1.3506, abs=1e-4)
    assert (values["rings"], values["validity"]) == (1.0, 1.0)
    parts = [
        values["qed"],
        (1.3506 + 2) / 8,
        1.0,  # weight, TPSA and rings are within their bounds
        1.0,
        1.0,
        (10 - values["sa"]) / 9,
        1.0,
    ]
    assert found.score[0] == pytest.approx(math.prod(parts) ** (1 / 7), abs=1e-6)


def test_an_alert_is_a_veto():
    """Paracetamol matches one alert, that of hydroquinones; benzamide none."""
    with scorer("qed,alerts") as score:
        found = score.table([PARACETAMOL, "NC(=O)c1ccccc1"])
    np.testing.assert_array_equal(found.values["alerts"], [1, 0])
    assert found.score[0] == 0.0
    assert found.score[1] == pytest.approx(math.sqrt(found.values["qed"][1]))


def test_a_weight_counts_as_often_as_it_says():
    with scorer("qed:3,sa") as three, scorer("qed,sa") as one:
        alone = one.table([PARACETAMOL]).values
        qed, sa = alone["qed"][0], (10 - alone["sa"][0]) / 9
        assert three([PARACETAMOL])[0] == pytest.approx((qed**3 * sa) ** 0.25, rel=1e-12)


def test_what_is_no_molecule_has_no_score_and_the_others_keep_theirs():
    with scorer("qed") as score:
        found = score.table([PARACETAMOL, "nonsense", "", "C(C)(C)(C)(C)C"])
        assert found.reasons == ["", *["not a SMILES"] * 3]
        np.testing.assert_array_equal(np.isnan(found.score), [False, True, True, True])
        assert found.score[0] == score([PARACETAMOL])[0]


def test_each_molecule_is_measured_once_however_it_is_written():
    with scorer("qed,sa") as score:
        first = score(["OCC", "CCO", "C(C)O"])
        assert len(set(first)) == 1
        score(["CCO", "CCN"])
        counts = score.counts["qed"]
        assert (counts.calls, counts.cached, counts.failed) == (2, 1, 0)
        assert score.calls == 3


def test_stereoisomers_are_different_molecules():
    with scorer("qed") as score:
        assert score.table(["C[C@H](N)O", "C[C@@H](N)O"]).smiles[0] == "C[C@H](N)O"
        assert score.counts["qed"].calls == 2


def test_no_molecules_have_no_scores():
    with scorer("qed,sa") as score:
        assert score([]).shape == (0,)


def test_similarity_is_the_highest_tanimoto_to_any_active(tmp_path):
    path = tmp_path / "actives,1.smi"
    path.write_text("CCO ethanol\nc1ccccc1\nnonsense\n")
    with scorer(f'similarity:"{path}"') as score:
        # CCO and CCN share two of the six environments that one of them has (radius 2).
        np.testing.assert_allclose(score(["CCN", "CCO", "c1ccccc1"]), [1 / 3, 1, 1])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "actives.smi is empty: it needs one molecule at least"),
        ("x1\nx2\n", "none of the 2 lines is a molecule (the first is 'x1')"),
    ],
)
def test_actives_that_are_none(tmp_path, monkeypatch, text, line):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "actives.smi").write_text(text)
    with pytest.raises(UserError) as told:
        scorer("similarity:actives.smi")
    assert str(told.value).removeprefix("similarity:actives.smi: ") == line


def test_the_names_that_rewards_had_are_still_there():
    from zerosum.chem.molecules import SCORERS, rdkit

    mol = rdkit().MolFromSmiles(PARACETAMOL)
    for name, old in SCORERS.items():
        with scorer(name) as score:
            assert score([PARACETAMOL])[0] == pytest.approx(old(mol), rel=1e-12), name


def test_an_unknown_part_names_the_nearest_of_all():
    with pytest.raises(UserError, match="there is no scorer 'dockin': did you mean docking"):
        scorer("dockin:CA2")
    assert {"qed", "qsar", "docking", "efficiency", "command", "similarity"} <= set(PARTS)
