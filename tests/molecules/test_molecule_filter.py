"""What `zerosum generate --filter` means, what it refuses, and what `--raw` writes."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("rdkit")

from rdkit import Chem

from zerosum.errors import UserError
from zerosum.modalities.molecules import MODALITY
from zerosum.modalities.molecules.filtering import Filter
from zerosum.modalities.molecules.properties import PROPERTIES
from zerosum.modalities.points import MODALITY as POINTS

ASPIRIN = Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")


def test_properties_of_aspirin() -> None:
    """QED of Bickerton et al.'s implementation in RDKit; the rest counted by hand."""
    found = {name: ask(ASPIRIN) for name, ask in PROPERTIES.items()}
    counts = {"atoms": 13, "rings": 1, "aromatic_rings": 1, "aliphatic_rings": 0}
    counts |= {"acceptors": 3, "donors": 1, "rotatable": 2, "charge": 0}
    assert {name: found[name] for name in counts} == counts
    # Ertl's table: an ester's two oxygens 9.23 + 17.07, an acid's 20.23 + 17.07.
    assert found["tpsa"] == pytest.approx(63.60, abs=0.01)
    assert found["weight"] == pytest.approx(180.16, abs=0.01)
    assert found["qed"] == pytest.approx(0.550, abs=1e-3)
    assert (
        Chem.MolFromSmiles("C[NH3+]") and PROPERTIES["charge"](Chem.MolFromSmiles("C[NH3+]")) == 1
    )


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("qed>0.5 and sa<4", True),
        ("qed > 0.6", False),
        ("qed > 0.6 or rings == 1", True),
        ("not (qed > 0.6 or rings == 1)", False),
        ("qed > 0.6 or rings == 1 and atoms == 12", False),  # and binds first, as in Python
        ("(qed > 0.6 or rings == 1) and atoms == 13", True),
        ("150 <= weight < 180.2", True),
        ("logp != -1", True),
        ("tpsa < weight", True),
    ],
)
def test_expressions_mean_what_python_means(text: str, kept: bool) -> None:
    assert Filter(text)(ASPIRIN) is kept


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty: write for example  qed > 0.6 and sa < 4"),
        ("qde > 0.5", "has no property 'qde': did you mean qed"),
        ("qed = 0.5", "compares with =, which is written =="),
        ("qed >", "is no expression"),
        ("qed", "has 'qed' alone: compare it, as in  qed > 0.5"),
        ("qed and sa < 3", "has 'qed' alone"),
        ("1 < 2", "compares numbers only"),
        ("(qed > 0.5) & (sa < 3)", "has & or |: write and, or"),
        ("qed > 0.5 & sa < 3", "has & or |: write and, or"),
        ("qed in (1, 2)", "compares by a word: compare with"),
        ("qed > 'high'", "has ''high'' in a comparison"),
        ("qed > True", "has 'True' in a comparison"),
        ("__import__('os').system('x') > 1", "in a comparison: compare properties and numbers"),
        ("open('x')", "where a comparison should be"),
        ("qed*2 > 1", "has 'qed \\* 2' in a comparison"),
        ("qed > 0.5\x1b[31m", r"is no expression"),
        ("(" * 300 + "qed>1" + ")" * 300, "has 605 characters: 500 are the most"),
        ("qed\0>1", "is no expression"),
    ],
)
def test_what_means_nothing_is_one_line_with_its_cure(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as error:
        Filter(text)
    assert "\n" not in str(error.value) and "\x1b" not in str(error.value)


def test_each_molecule_is_kept_once_and_only_where_it_is_one(made) -> None:
    holds = MODALITY.selected("rings == 0", made.codec)
    rows = [made.train.smiles.index(text) for text in ("CCO", "CCC", "C1CC1")]
    batch = made.train.finished([*rows, rows[0]])
    assert holds(batch).tolist() == [True, True, False, False]
    assert holds(batch).tolist() == [False] * 4  # all came before
    empty = {name: torch.zeros_like(value[:1]) for name, value in batch.items()}
    assert holds(empty).tolist() == [False]


def test_other_kinds_refuse_in_a_line(made) -> None:
    with pytest.raises(UserError, match="--filter is for molecules, not for points"):
        POINTS.selected("qed > 0.5", made.codec)
