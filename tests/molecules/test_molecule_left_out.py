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
