"""What a file of molecules holds and is not read is said."""

from __future__ import annotations

import gzip
import os

import pytest

pytest.importorskip("rdkit")

from rdkit import Chem
from rdkit.Chem import AllChem

from zerosum.errors import UserError
from zerosum.modalities.molecules import MODALITY
from zerosum.modalities.molecules.config import Molecules


def test_comments_and_names_of_a_list(tmp_path):
    path = tmp_path / "a.smi"
    path.write_text("# from somewhere\nCCO ethanol\nCCN\nCCC propane the gas\n")
    notes = (
        "comments left out: 1 lines that begin with #",
        "words after the SMILES left out of 2 lines",
    )
    assert MODALITY.inspect(str(path)).notes == notes
    assert Molecules(path=str(path), holdout=0).open().train.notes == notes


def test_other_columns_of_a_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("name,smiles,logp\nx,CCO,1\ny,CCN,2\n")
    assert MODALITY.inspect(str(path)).notes == ("columns left out: 2 (name, logp)",)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.smi")
    assert MODALITY.reads(str(tmp_path / "a.smi")) == ""
    with pytest.raises(UserError, match="is a pipe, socket or device"):
        Molecules(path=str(tmp_path / "a.smi")).open()


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_a_table_without_names_keeps_its_first_molecule(tmp_path, name):
    mark = "," if name == "a.csv" else "\t"
    path = tmp_path / name
    path.write_text("\n".join(f"{i}{mark}{s}" for i, s in enumerate(["CCO", "CCN", "CCC"])))
    reading = Molecules(path=str(path)).read()
    assert reading.smiles == ["CCO", "CCN", "CCC"] and reading.column == "column_2"
    assert reading.notes() == (
        "the first line holds no names: columns are called column_1, column_2, ...",
        "columns left out: 1 (column_1)",
    )


def test_a_name_that_could_be_a_molecule_is_a_name_beside_smiles(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("CO,smiles\n0.1,CCO\n0.2,CCN\n")
    assert Molecules(path=str(path)).read().smiles == ["CCO", "CCN"]


@pytest.mark.parametrize("text", ["\n\nsmiles,v\nCCO,1\nCCN,2\n", "smiles|v\nCCO|1\nCCN|2\n"])
def test_blank_lines_above_and_bars_between(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert Molecules(path=str(path)).read().smiles == ["CCO", "CCN"]


def test_names_after_a_comma_in_a_list(tmp_path):
    path = tmp_path / "a.smi"
    path.write_text("smiles,name\nCCO,ethanol\nCCN;ethylamine\n")
    reading = Molecules(path=str(path)).read()
    assert reading.smiles == ["CCO", "CCN"]
    assert reading.notes() == ("words after the SMILES left out of 2 lines",)


def test_rows_of_other_lengths_are_counted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("name,smiles\na,CCO\nb, c,CCN\nd\n")
    assert "lines with more or fewer cells than the first: 2" in MODALITY.inspect(str(path)).notes


def test_a_line_without_end_is_refused_at_once(tmp_path):
    path = tmp_path / "a.smi"
    path.write_text("CCO\n" + "C" * 300_000 + "\nCC\x1bO\n")
    assert MODALITY.reads(str(path)) == "a list of SMILES"
    reading = Molecules(path=str(path)).read()
    assert reading.smiles == ["CCO"] and reading.refused["longer than 5,000 characters"] == 1
    assert max(map(len, reading.examples.values())) < 100
    assert r"CC\x1bO" in reading.examples.values()  # nothing that steers a terminal


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "smiles,n\nCCO,é\n".encode("latin-1"), r"is not UTF-8 \(byte 13\): save it as"),
        ("a.smi", "CCO\n".encode("utf-16"), "is not UTF-8 .*: save it as UTF-8"),
        ("a.csv", b'smiles,n\nCCO,"' + b"x\n" * 100_000, "close the quote"),
        ("a.mol2", b"@<TRIPOS>MOLECULE\n", "no file of molecules: convert it"),
        ("a.sdf.gz", b"no gzip", "cannot be read"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=words):
        Molecules(path=str(path)).read()


def test_a_structure_file_is_not_taken_for_pictures(tmp_path):
    (tmp_path / "a.sdf").write_text("x")
    assert MODALITY.reads(str(tmp_path / "a.sdf")) == "a file of structures"


def _structures(path, smiles, *, broken=""):
    """A structure file of molecules with hydrogens and coordinates, and something else after."""
    blocks = []
    for number, text in enumerate(smiles):
        mol = Chem.AddHs(Chem.MolFromSmiles(text))
        AllChem.EmbedMolecule(mol, randomSeed=1)
        mol.SetProp("_Name", f"m{number}")
        blocks.append(Chem.MolToMolBlock(mol) + f"> <price>\n{number}\n\n$$$$\n")
    content = "".join(blocks) + broken
    packed = path.suffix == ".gz"
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())


@pytest.mark.parametrize("name", ["a.sdf", "a.sdf.gz", "a.sd"])
def test_structure_files_are_read(tmp_path, name):
    path = tmp_path / name
    _structures(path, ["C[C@H](N)O", "c1ccccc1O", "CCO"], broken="junk\n\n\nnone\n$$$$\n")
    reading = Molecules(path=str(path)).read()
    assert reading.smiles == ["CC(N)O", "Oc1ccccc1", "CCO"]
    assert (reading.lines, reading.stereo) == (4, 1)
    assert reading.left_out == ["line 4: (a record that RDKit does not read) (not a SMILES)"]
    with pytest.raises(UserError, match=r"has no columns: leave data\.column=x out"):
        Molecules(path=str(path), column="x").read()


def test_a_structure_with_an_impossible_valence_is_named(tmp_path):
    five = Chem.RWMol()
    for _ in range(6):
        five.AddAtom(Chem.Atom("C"))
    for neighbour in range(1, 6):
        five.AddBond(0, neighbour, Chem.BondType.SINGLE)
    path = tmp_path / "a.sdf"
    path.write_text(Chem.MolToMolBlock(five, kekulize=False) + "$$$$\n")
    assert Molecules(path=str(path)).read().refused == {"impossible valence or ring": 1}


def test_each_refused_line_is_named_with_its_number(tmp_path):
    path = tmp_path / "a.smi"
    path.write_text("# two are wrong\nCCO\nhello\nCCN\nCC(C)(C)(C)C\n" + "C" * 41 + "\n")
    train = Molecules(path=str(path), holdout=0).open().train
    assert train.skipped == (
        "line 3: hello (not a SMILES)",
        "line 5: CC(C)(C)(C)C (impossible valence or ring)",
        f"line 6: {'C' * 41} (more than 40 heavy atoms)",
    )
    table = tmp_path / "a.csv"
    table.write_text('\nname,smiles\n"two\nlines",CCO\nx,hello\n')
    assert Molecules(path=str(table)).read().left_out == ["line 5: hello (not a SMILES)"]


def test_moses_comes_with_its_test_part(tmp_path, monkeypatch):
    folder = tmp_path / "molecules"
    folder.mkdir()
    for part, smiles in (("train_250k", "CCO CCN CCC CCCO"), ("test_30k", "CCF CCO CCCN")):
        content = "SMILES\n" + "\n".join(smiles.split()) + "\n"
        (folder / f"moses_{part}.csv.gz").write_bytes(gzip.compress(content.encode()))
    monkeypatch.setenv("ZEROSUM_DATA", str(tmp_path))
    split = Molecules(path="moses").open()
    assert split.train.smiles == ("CCO", "CCN", "CCC", "CCCO")
    assert split.heldout.smiles == ("CCCN",)  # CCO is in training, F is not
    assert split.heldout_note == (
        "the test part of moses (2 molecules), of which 1 hold what the training part does not"
    )
    assert Molecules(path="moses", holdout=0).open().heldout is None
    (folder / "moses_test_30k.csv.gz").unlink()
    with pytest.raises(UserError, match=r"place moses_test_30k.csv.gz in"):
        Molecules(path="moses").open()
