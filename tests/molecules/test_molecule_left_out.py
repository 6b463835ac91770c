"""What a file of molecules holds and is not read is said."""

from __future__ import annotations

import os

import pytest

pytest.importorskip("rdkit")

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
        ("a.sdf", b"\n\n\nM  END\n$$$$\n", "no file of SMILES: convert it"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(tmp_path, name, content, words):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=words):
        Molecules(path=str(path)).read()


def test_a_structure_file_is_not_taken_for_pictures(tmp_path):
    (tmp_path / "a.sdf").write_text("x")
    assert MODALITY.reads(str(tmp_path / "a.sdf"))
