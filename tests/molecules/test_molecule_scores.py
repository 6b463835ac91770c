"""Scores on lists with known values, rows, baselines, sheets and what inspect says."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

pytest.importorskip("rdkit")

from rdkit import Chem

from zerosum.chem import molecules as chem
from zerosum.metrics.score import wilson
from zerosum.metrics.sets import Embedded, Sets
from zerosum.modalities.molecules import MODALITY, MoleculeCodec
from zerosum.modalities.molecules.baselines import (
    RandomGraphs,
    cleaned,
    random_smiles,
    train_lstm,
)
from zerosum.modalities.molecules.judge import METRICS, count_rows
from zerosum.modalities.molecules.scores import (
    diversity,
    judge,
    reasons,
    scaffolds_of,
    unique_at,
)


def test_shares_of_a_list_with_known_values() -> None:
    # Ten samples: eight valid, four distinct, of which one is in the training part.
    samples = ["CC", "CC", "CC", "CCO", "CCO", "CCN", "CCF", "CCF", None, None]
    found = judge(samples, {"CC", "C"}, worth=False)
    assert (found.validity, found.uniqueness) == (0.8, 0.5)
    assert (found.novelty, found.product) == (0.75, pytest.approx(0.3))
    assert found.product == pytest.approx(found.validity * found.uniqueness * found.novelty)
    assert found.validity.interval == wilson(0.8, 10)
    assert found.novelty.interval == wilson(0.75, 4)
    assert found.uniqueness.interval is None and found.product.interval is None


def test_nothing_valid_is_zero_and_not_an_error() -> None:
    found = judge([None, None], {"C"})
    assert (found.validity, found.uniqueness, found.novelty, found.product) == (0, 0, 0, 0)
    assert all(math.isnan(v) for v in (found.qed, found.logp, found.sa, found.diversity))


def test_known_properties() -> None:
    aspirin = Chem.MolFromSmiles("CC(=O)Oc1ccccc1C(=O)O")
    # Bickerton et al. and Wildman-Crippen as RDKit documents them; SA of Ertl and Schuffenhauer.
    assert chem.qed(aspirin) == pytest.approx(0.550, abs=1e-3)
    assert chem.logp(aspirin) == pytest.approx(1.310, abs=1e-3)
    assert chem.sa(aspirin) == pytest.approx(1.580, abs=1e-2)
    assert chem.weight(aspirin) == pytest.approx(180.16, abs=1e-2)
    assert chem.SCORERS["sa"](aspirin) == pytest.approx((10 - chem.sa(aspirin)) / 9)
    assert chem.SCORERS["drug"](aspirin) == pytest.approx(
        chem.qed(aspirin) * (10 - chem.sa(aspirin)) / 9
    )


def test_internal_diversity_is_that_of_moses() -> None:
    """Over ordered pairs, each molecule with itself among them: n of n^2 are 1."""
    assert diversity(["CCO", "CCO", "CCO"]) == 0
    assert diversity(["CCCCCC", "FC(F)(F)F"]) == pytest.approx(1 - 2 / 4)
    # Two equal and one stranger: 5 of 9 ordered pairs are alike.
    assert diversity(["CCCCCC", "CCCCCC", "FC(F)(F)F"]) == pytest.approx(1 - 5 / 9)
    assert math.isnan(diversity([]))


def test_distinct_ones_among_the_first() -> None:
    valid = ["C"] * 500 + [f"{number}" for number in range(500)] + ["late"]
    assert unique_at(valid, 1_000) == 0.501
    assert math.isnan(unique_at(valid, 10_000))


def test_scaffolds_are_counted_once_and_rings_only() -> None:
    assert scaffolds_of(["CCO", "Cc1ccccc1", "Oc1ccccc1", "C1CC1C"]) == {"c1ccccc1", "C1CC1"}
    samples = ["CCO", "Cc1ccccc1", "Oc1ccccc1", "C1CC1C", "C1CCC1"]
    found = judge(samples, {"C"}, scaffolds=scaffolds_of(["CCc1ccccc1"]))
    assert found.scaffold_novelty == pytest.approx(2 / 3)
    assert found.scaffold_novelty.interval == wilson(2 / 3, 3)


def test_the_metric_of_the_registry_says_the_same(made) -> None:
    real = made.train.finished(range(40))
    fake = dict(made.train.finished(range(20, 60)))
    fake["bonds"] = fake["bonds"].clone()
    fake["bonds"][:10] = torch.eye(fake["bonds"].shape[-1])[0]  # no bonds: in pieces
    sets = Sets(
        *(
            Embedded(torch.zeros(40, 1), None, batch, lambda batch=batch: made.codec.decode(batch))
            for batch in (real, fake)
        ),
        None,
        0,
    )
    found = {name: score for name, score, _ in METRICS["molecules"].take("molecules", sets)}
    assert found["validity"] == 0.75
    assert found["uniqueness"] == 1.0
    assert found["novelty"] == pytest.approx(20 / 30)
    assert found["valid-unique-novel"] == 0.5
    assert reasons(made.codec.read(fake)) == {"in pieces": 10}


def test_rows_are_counts_and_blind_to_order() -> None:
    codec = MoleculeCodec(["C", "O"], ["single", "double"], 4)
    raw = codec.encode(["CC=O"])
    batch = {name: codec.fields[name].finish(tensor) for name, tensor in raw.items()}
    row = count_rows(batch)[0]
    assert row[:3].tolist() == [0.25, 0.5, 0.25]  # no atom, C, O
    assert row[3:5].tolist() == [0.25, 0.25]  # one single, one double bond of four nodes
    assert row[5:12].tolist() == [0, 0.5, 0.25, 0, 0, 0, 0]  # neighbours 1, 2, 1
    assert row[12:].tolist() == [0, 0.25, 0.25, 0.25, 0, 0, 0]  # bonds of order 1, 3, 2
    order = torch.tensor([2, 3, 0, 1])
    mixed = {"atoms": batch["atoms"][:, order], "bonds": batch["bonds"][:, order][:, :, order]}
    assert torch.equal(count_rows(mixed)[0], row)
    assert torch.equal(MODALITY.rows(batch)[0], row)


def test_random_molecules_keep_valences(made) -> None:
    smiles = random_smiles(made.train.smiles, 100, 0)
    assert all(text is not None for text in smiles)
    assert smiles == random_smiles(made.train.smiles, 100, 0)


def test_random_trees_have_the_counts_of_the_data() -> None:
    law = RandomGraphs.fit(["C1CC1", "C=O"])
    assert [(tuple(sorted(n)), *more) for n, *more in law.counts] == [
        (("C", "C", "C"), 1, 0),
        (("C", "O"), 0, 1),
    ]
    # Of one molecule each: three carbons in a ring, a carbon and an oxygen bound twice.
    assert set(random_smiles(["C1CC1"], 20, 0)) == {"C1CC1"}
    assert set(random_smiles(["C=O"], 20, 0)) == {"C=O"}
    # Where orders would break a valence the graph has fewer: F takes one bond.
    assert set(random_smiles(["FC#N"], 50, 0)) <= {"N#CF", "FC=N", "CNF", "C=NF", "N=CF", "NCF"}


def test_the_language_model_learns_a_short_list_by_heart() -> None:
    words = ["CCO", "c1ccccc1", "CC(=O)N"]
    model = train_lstm(words, updates=150, lr=1e-2, width=32)
    written = model.write(50, seed=1)
    assert written == model.write(50, seed=1)
    assert sum(line in words for line in written) >= 45
    assert cleaned(["CCO", "C(", "CC.C", "OCC"]) == ["CCO", None, None, "CCO"]


def test_baselines_are_batches_of_the_codec(made, monkeypatch) -> None:
    monkeypatch.setattr("zerosum.modalities.molecules.baselines.UPDATES", 3)
    found = MODALITY.baselines(made.train, made.codec, 20, 0, {})
    assert len(found) == 3
    for batch in found.values():
        assert batch["atoms"].shape == (20, 9, 1 + len(made.codec.atoms))
    again = judge(made.codec.smiles(found["training molecules again"]), made.train.smiles)
    assert (again.validity, again.novelty) == (1.0, 0.0)


def test_sheets_show_drawings_and_reasons(made) -> None:
    batch = made.train.finished(range(6))
    batch["bonds"][0] = torch.eye(batch["bonds"].shape[-1])[0]
    batch["atoms"][0, :2] = torch.eye(batch["atoms"].shape[-1])[1]
    sheet = MODALITY.sheet(batch, made.codec, real={}, columns=3, title="")
    assert sheet.size == (3 * 154 - 4, 2 * 182 - 4)
    assert sheet.getpixel((5, 5)) == (0xE4, 0xE4, 0xE4)  # in pieces: grey
    assert sheet.getpixel((159, 5)) == (255, 255, 255)
    twins = MODALITY.twins(batch, made.heldout.finished(range(30)), made.codec)
    assert twins is not None and twins.size[1] == 2 * 182 - 4
    assert set(MODALITY.panels(batch, batch, made.codec)) == {"QED", "logP", "SA"}


def test_inspect_counts_and_names_the_command(tmp_path: Path) -> None:
    path = tmp_path / "my list.smi"
    path.write_text("CCO\nOCC\nxyz\n[Na+].CC(=O)[O-]\nC[C@H](N)O\n")
    found = MODALITY.inspect(str(path))
    assert found.facts["molecules"] == 3 and found.facts["refused"] == {"not a SMILES": 1}
    assert found.facts["atoms"] == {"C": 6, "O": 3, "N": 1, "O-": 1}
    assert found.rows["lines"] == "5" and found.rows["duplicates"] == "1"
    assert found.command == f"zerosum train molgan/imitation --data '{path}'"
    assert "1 of 5 lines are refused (20%)" in found.warnings


def test_which_paths_are_molecules(tmp_path: Path) -> None:
    (tmp_path / "a.smi").write_text("CCO\n")
    (tmp_path / "b.csv").write_text("smiles,y\nCCO,1\n")
    (tmp_path / "c.csv").write_text("x,y\n1,2\n")
    (tmp_path / "d.txt").write_text("a text of words\n")
    read = {path.name: MODALITY.reads(str(path)) for path in sorted(tmp_path.iterdir())}
    assert read == {
        "a.smi": "a list of SMILES",
        "b.csv": "a table with SMILES in the column 'smiles'",
        "c.csv": "",
        "d.txt": "",
    }
    assert MODALITY.reads("nowhere") == "" and MODALITY.reads("esol")
