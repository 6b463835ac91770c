"""SMILES to graphs and back: exact, or refused with a reason."""

from __future__ import annotations

import csv
import gzip
import os
from pathlib import Path

import pytest
import torch

pytest.importorskip("rdkit")

from rdkit import Chem

from zerosum.chem.molecules import assemble, clean, graph_of, repair, valence
from zerosum.data.codec import read_codec, write_codec
from zerosum.errors import UserError
from zerosum.modalities.molecules import AtomField, BondField, MoleculeCodec, Molecules

# Charges, aromatic rings with and without hydrogen, sulfur of each valence, halogens, bridges.
HARD = (
    "C[N+](=O)[O-]",
    "c1cc[nH]c1",
    "c1ccc2[nH]cnc2c1",
    "O=S(=O)(c1ccccc1)N1CCOCC1",
    "CS(C)=O",
    "c1ccsc1",
    "C1CC2CCC1C2",
    "C#CC(F)(Cl)Br",
    "OP(=O)(O)O",
    "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "[O-][n+]1ccccc1",
    "N#[N+][N-]c1ccccc1",
    "CC(=O)Oc1ccccc1C(=O)O",
)


def test_hard_molecules_come_back_as_they_were() -> None:
    codec = MoleculeCodec.fit([clean(smiles).smiles for smiles in HARD])
    want = [Chem.CanonSmiles(smiles) for smiles in HARD]
    raw = codec.encode(HARD)
    batch = {name: codec.fields[name].finish(tensor) for name, tensor in raw.items()}
    assert codec.smiles(batch) == want
    assert [Chem.MolToSmiles(mol) for mol in codec.decode(batch)] == want


def test_every_molecule_of_the_made_set_comes_back(made) -> None:
    for part in (made.train, made.heldout):
        assert made.codec.smiles(part.finished(range(len(part)))) == list(part.smiles)
    assert len(made.train) + len(made.heldout) > 500


def test_molecules_of_esol_come_back() -> None:
    root = os.environ.get("ZEROSUM_DATA", "")
    if not (Path(root) / "molecules" / "delaney-processed.csv.gz").is_file():
        pytest.skip("ESOL is not in ZEROSUM_DATA")
    split = Molecules(path="esol").open()
    assert split.codec.smiles(split.train.finished(range(500))) == list(split.train.smiles[:500])


def test_shapes_symmetry_and_one_hot() -> None:
    codec = MoleculeCodec(["C", "O"], ["single", "double"], 4)
    raw = codec.encode(["CC=O"])
    assert raw["atoms"].tolist() == [[1, 1, 2, 0]]
    assert raw["bonds"][0].tolist() == [[0, 1, 0, 0], [1, 0, 2, 0], [0, 2, 0, 0], [0, 0, 0, 0]]
    atoms = codec.fields["atoms"].finish(raw["atoms"])
    bonds = codec.fields["bonds"].finish(raw["bonds"])
    assert atoms.shape == (1, 4, 3) and bonds.shape == (1, 4, 4, 3)
    assert atoms.dtype == bonds.dtype == torch.float32
    assert torch.equal(atoms.sum(-1), torch.ones(1, 4))
    assert torch.equal(bonds, bonds.transpose(1, 2))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty line"),
        ("hello", "not a SMILES"),
        ("C(C)(C)(C)(C)C", "impossible valence or ring"),
        ("c1cccc1", "impossible valence or ring"),
        ("[CH3]", "a radical, or a metal without its bonds"),
        ("C*", "an atom of no element (*)"),
        ("[H][H]", "hydrogen as an atom of its own"),
    ],
)
def test_a_line_is_refused_with_its_reason(text: str, reason: str) -> None:
    assert clean(text).reason == reason


def test_salts_stereo_and_isotopes_are_left_out_and_counted() -> None:
    found = clean("[Na+].CC(=O)[O-]")
    assert (found.smiles, found.salt, found.size) == ("CC(=O)[O-]", True, 4)
    found = clean("C[C@H](N)C(=O)O")
    assert (found.smiles, found.stereo, found.salt) == ("CC(N)C(=O)O", True, False)
    assert clean("[13CH4]").smiles == "C"


def test_a_list_is_read_with_everything_counted() -> None:
    texts = ("CCO", "OCC", "CC.O", "", "xyz", "C[C@H](N)O", "CCCCCC")
    reading = Molecules(smiles=texts, size=5).read()
    assert reading.smiles == ["CCO", "CC", "CC(N)O"]
    assert (reading.lines, reading.duplicates, reading.salts, reading.stereo) == (7, 1, 1, 1)
    assert reading.refused == {"empty line": 1, "not a SMILES": 1, "more than 5 heavy atoms": 1}
    assert reading.examples["not a SMILES"] == "xyz"


def test_atoms_that_only_held_out_molecules_have_are_said() -> None:
    # One molecule of twenty is aside; only it may hold what the training part lacks.
    plain = ["C" * n for n in range(1, 21)]
    split = Molecules(smiles=tuple(plain), holdout=0.05).open()
    aside = split.heldout.smiles[0]
    odd = tuple("CBr" if smiles == aside else smiles for smiles in plain)
    split = Molecules(smiles=odd, holdout=0.05).open()
    assert split.heldout is None
    assert split.heldout_note.endswith("of which 1 hold what the training part does not")


def test_the_codec_is_saved_and_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    codec = MoleculeCodec.fit(["CCO", "CC=O"])
    write_codec(codec, tmp_path)
    back = read_codec(MoleculeCodec, tmp_path)
    assert isinstance(back, MoleculeCodec)
    assert back.state() == codec.state() and back.hash == codec.hash
    assert (codec.atoms, codec.bonds, codec.size) == (("C", "O"), ("single", "double"), 3)
    with pytest.raises(UserError, match="atom N is not in the training part"):
        codec.encode(["CN"])
    with pytest.raises(UserError, match="more than 3 heavy atoms"):
        codec.encode(["CCCC"])
    with pytest.raises(UserError, match="a triple bond is not in the training part"):
        codec.encode(["C#C"])


def test_fields_survive_json() -> None:
    codec = MoleculeCodec.fit(["CCO", "C[NH3+]"])
    atoms, bonds = codec.fields["atoms"], codec.fields["bonds"]
    assert AtomField.model_validate_json(atoms.model_dump_json()) == atoms
    assert BondField.model_validate_json(bonds.model_dump_json()) == bonds


def _graph(codec: MoleculeCodec, atoms: list[int], bonds: dict[tuple[int, int], int]):
    raw = {"atoms": torch.tensor([atoms]), "bonds": torch.zeros(1, 4, 4, dtype=torch.int64)}
    for (i, j), kind in bonds.items():
        raw["bonds"][0, i, j] = raw["bonds"][0, j, i] = kind
    return {name: codec.fields[name].finish(tensor) for name, tensor in raw.items()}


def test_raw_validity_has_a_reason_and_repair_is_apart() -> None:
    codec = MoleculeCodec(["C", "F"], ["single", "double", "triple"], 4)
    cases = {
        "": _graph(codec, [1, 1, 0, 0], {(0, 1): 1}),
        "empty": _graph(codec, [0, 0, 0, 0], {}),
        "in pieces": _graph(codec, [1, 1, 1, 0], {(0, 1): 1}),
        "bond to no atom": _graph(codec, [1, 1, 0, 0], {(0, 1): 1, (1, 2): 1}),
        "valence": _graph(codec, [2, 1, 1, 0], {(0, 1): 2, (1, 2): 1}),
    }
    assert [codec.read(batch)[0][1] for batch in cases.values()] == list(cases)
    mended = [codec.repaired(batch)[0] for batch in cases.values()]
    assert mended[1] is None
    assert [Chem.MolToSmiles(mol) for mol in mended if mol is not None] == [
        "CC",
        "CC",
        "CC",
        "CCF",
    ]


def test_valences_and_repair_by_hand() -> None:
    assert [valence(name) for name in ("C", "N", "N+", "O", "O-", "F", "S")] == [
        4, 3, 4, 2, 1, 1, 6,
    ]  # fmt: skip
    names, bonds = repair(["F", "C", "C"], [(0, 1, 3), (1, 2, 3)])
    assert assemble(names, bonds)[1] == ""
    assert graph_of("C=O") == (["C", "O"], [(0, 1, 2)])


def test_soft_tensors_decode_to_their_likeliest_graph() -> None:
    codec = MoleculeCodec(["C", "O"], ["single", "double"], 2)
    atoms = torch.tensor([[[0.1, 0.5, 0.4], [0.3, 0.3, 0.4]]])
    bonds = torch.tensor([0.2, 0.5, 0.3]).expand(1, 2, 2, 3).clone()
    # One direction alone says "none"; both together still say "single": 0.65 of 2.
    bonds[0, 0, 1] = torch.tensor([0.6, 0.15, 0.25])
    assert codec.smiles({"atoms": atoms, "bonds": bonds}) == [None]
    bonds[0, 0, 1] = torch.tensor([0.4, 0.5, 0.1])
    assert codec.smiles({"atoms": atoms, "bonds": bonds}) == ["CO"]


def test_files_hold_the_valid_molecules(tmp_path: Path) -> None:
    codec = MoleculeCodec(["C", "F"], ["single", "double", "triple"], 4)
    good = _graph(codec, [1, 1, 2, 0], {(0, 1): 1, (1, 2): 1})
    bad = _graph(codec, [1, 1, 1, 0], {(0, 1): 1})
    batch = {name: torch.cat([bad[name], good[name]]) for name in good}
    codec.write(batch, tmp_path / "a.smi")
    assert (tmp_path / "a.smi").read_text() == "CCF\t1\n"
    codec.write(batch, tmp_path / "a.csv")
    rows = list(csv.DictReader((tmp_path / "a.csv").open()))
    assert [row["sample"] for row in rows] == ["1"] and rows[0]["smiles"] == "CCF"
    assert float(rows[0]["weight"]) == pytest.approx(48.06, abs=0.01)  # C2H5F
    codec.write(batch, tmp_path / "a.sdf")
    (mol,) = list(Chem.SDMolSupplier(str(tmp_path / "a.sdf")))
    assert Chem.MolToSmiles(mol) == "CCF" and mol.GetProp("smiles") == "CCF"
    place = mol.GetConformer()
    lengths = [(place.GetAtomPosition(i) - place.GetAtomPosition(i + 1)).Length() for i in (0, 1)]
    assert place.Is3D() and lengths == [
        pytest.approx(1.52, abs=0.05),
        pytest.approx(1.39, abs=0.05),
    ]
    first = (tmp_path / "a.sdf").read_text()
    codec.write(batch, tmp_path / "a.sdf")
    assert (tmp_path / "a.sdf").read_text().splitlines()[2:] == first.splitlines()[2:]
    codec.write(bad, tmp_path / "none.sdf")
    assert (tmp_path / "none.sdf").read_text() == ""
    with pytest.raises(UserError, match="of no known kind"):
        codec.write(batch, tmp_path / "a.png")


def test_raw_files_have_a_line_for_each_sample(tmp_path: Path) -> None:
    codec = MoleculeCodec(["C", "F"], ["single", "double", "triple"], 4)
    good = _graph(codec, [1, 1, 2, 0], {(0, 1): 1, (1, 2): 1})
    bad = _graph(codec, [1, 1, 1, 0], {(0, 1): 1})
    batch = {name: torch.cat([bad[name], good[name], bad[name]]) for name in good}
    assert codec.write_raw(batch, tmp_path / "a.smi") == 1
    assert (tmp_path / "a.smi").read_text() == "\nCCF\n\n"
    assert codec.write_raw(batch, tmp_path / "a.csv") == 1
    lines = (tmp_path / "a.csv").read_text().splitlines()
    assert lines[1] == "0,,,,," and lines[2].startswith("1,CCF,0.3") and lines[3] == "2,,,,,"
    with pytest.raises(UserError, match=r"a \.sdf has no blank lines, a \.smi or \.csv has"):
        codec.write_raw(batch, tmp_path / "a.sdf")


@pytest.mark.parametrize("packed", [False, True])
def test_lists_and_tables_are_read(tmp_path: Path, packed: bool) -> None:
    texts = {
        "a.smi": "CCO ethanol\nCC ethane\n",
        "b.csv": "name,SMILES\nethanol,CCO\nethane,CC\n",
        "c.tsv": "name\tstructure\nethanol\tCCO\nethane\tCC\n",
        "d.txt": "# a comment\nsmiles\nCCO\nCC\n",
    }
    for name, text in texts.items():
        path = tmp_path / (name + ".gz" * packed)
        if packed:
            path.write_bytes(gzip.compress(text.encode()))
        else:
            path.write_text(text)
        reading = Molecules(path=str(path)).read()
        assert (name, reading.smiles) == (name, ["CCO", "CC"])


def test_a_bad_path_is_one_line_with_its_cure(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"no column of SMILES \(a, b\): name it with data.column"):
        Molecules(path=str(table)).open()
    with pytest.raises(UserError, match=r"no column 'c': known: a, b"):
        Molecules(path=str(table), column="c").open()
    with pytest.raises(UserError, match="did you mean qm9"):
        Molecules(path="qm").open()
    bad = tmp_path / "bad.smi"
    bad.write_text("hello\n")
    with pytest.raises(UserError, match=r"no molecule that can be used \(not a SMILES: 'hello'\)"):
        Molecules(path=str(bad)).open()


def test_shares_are_counted_where_the_codec_is_fitted() -> None:
    """CCO and C=C on three nodes: six nodes, one of them empty; four pairs of atoms, one free."""
    codec = MoleculeCodec.fit(["CCO", "C=C"])
    assert codec.shares == ((1 / 6, 4 / 6, 1 / 6), (1 / 4, 2 / 4, 1 / 4))
    assert codec.fields["atoms"].shares == codec.shares[0]
    assert codec.fields["bonds"].shares == codec.shares[1]
    again = MoleculeCodec.from_state(*codec.state())
    assert again.shares == codec.shares and again.hash == codec.hash


def test_codecs_of_earlier_versions_have_no_shares_and_keep_their_hash() -> None:
    facts = {"atoms": ["C", "O"], "bonds": ["single"], "size": 3}
    codec = MoleculeCodec.from_state(facts, {})
    assert codec.shares == ((), ()) and codec.state() == (facts, {})
