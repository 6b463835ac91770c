"""`zerosum qsar` and `zerosum dock`, typed by a chemist: what comes out, and what is refused."""

from __future__ import annotations

import csv
import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from cli_command import call, contents, done

pytest.importorskip("rdkit")

from zerosum.chem import docking
from zerosum.chem.molecules import logp, rdkit
from zerosum.pipelines.qsar import read_measured

ENDS = ("", "O", "N", "F", "C#N", "C=O", "OC", "Cl")
CHAINS = [f"{ring}{'C' * n}{end}" for ring in ("C1CC1", "C") for n in (1, 2, 3) for end in ENDS]
CAN_DOCK = all(importlib.util.find_spec(name) for name in (*docking.NEEDED, "dockstring"))


def write(path, header, rows):
    with open(path, "w", newline="") as text:
        csv.writer(text).writerows([header, *rows])


def rows(path):
    with open(path, newline="") as text:
        return list(csv.DictReader(text))


@pytest.fixture
def measured():
    values = [f"{logp(rdkit().MolFromSmiles(text)):.4f}" for text in CHAINS]
    write("m.csv", ["name", "smiles", "logP"], [["x", *row] for row in zip(CHAINS, values)])
    return {text: float(value) for text, value in zip(CHAINS, values)}


def fit(*more):
    return done("qsar", "m.csv", "--target", "logP", "--trees", "20", "--quiet", *more)


def test_a_model_is_fitted_and_predicts(measured):
    told = fit("--out", "model")
    assert told.startswith(f"{len(CHAINS)} molecules, logP: a number\n")
    assert {line.split()[2] for line in told.splitlines() if "forest" in line} == {"R2", "RMSE"}
    names = {"qsar.json", "qsar.safetensors", "scores.json"}
    assert set(contents(Path("model"))) == names
    Path("new.smi").write_text(f"{CHAINS[3]} known\nhello\nOS(=O)(=O)c1nnnn1Br\n")
    told = done("qsar", "model", "--predict", "new.smi", "--out", "p.csv")
    assert told == ("2 of 3 lines predicted, 1 inside the model's domain\nwritten to p.csv\n")
    first, second, third = rows("p.csv")
    assert (first["smiles"], first["inside"], first["reason"]) == (CHAINS[3], "yes", "")
    assert float(first["low"]) < float(first["logP"]) < float(first["high"])
    assert float(first["distance"]) == 0.0
    assert (second["logP"], second["reason"]) == ("", "not a SMILES")
    assert (third["inside"], third["reason"]) == ("no", "outside the domain of the QSAR model")


def test_the_same_seed_makes_the_same_model(measured):
    fit("--out", "a")
    fit("--out", "b")
    fit("--out", "c", "--seed", "1")
    a, b, c = (contents(Path(name)) for name in "abc")
    assert a == b
    assert a["qsar.safetensors"] != c["qsar.safetensors"]


def test_lines_that_cannot_be_used_are_counted(measured):
    lines = Path("m.csv").read_text() + "x,CCC,\nx,bad,1\nx,CCCN,soon\nx,OCC1CC1,9\n"
    Path("m.csv").write_text(lines)
    told = fit()
    assert "lines left out: 3 (1 no value, 1 not a SMILES, 1 no number)" in told
    assert "lines put together that repeat a molecule: 1" in told


@pytest.mark.parametrize(
    ("cells", "values", "positive"),
    [
        ("0101", [0, 1, 0, 1], "1"),
        (["inactive", "Active", "Active", "inactive"], [0, 1, 1, 0], "Active"),
        (["1.5", "2.5", "", "3"], [1.5, 2.5, 3.0], ""),
        (["2", "4", "2", "4"], [2, 4, 2, 4], ""),
    ],
)
def test_numbers_and_classes_are_told_apart(tmp_path, cells, values, positive):
    write(tmp_path / "a.csv", ["SMILES", "y"], zip(["C", "CC", "CCC", "CCCC"], cells))
    found = read_measured(tmp_path / "a.csv", "y")
    assert found.values.tolist() == values and found.positive == positive


def test_of_repeats_the_mean_counts_or_the_majority(tmp_path):
    path = tmp_path / "a.csv"
    write(path, ["smiles", "y"], [["CCO", 1.5], ["OCC", 2.5], ["CCN", 7]])
    assert read_measured(path, "y").values.tolist() == [2.0, 7.0]
    pairs = [["CCO", 1], ["OCC", 1], ["C(O)C", 0], ["CCN", 1], ["NCC", 0], ["C", 0]]
    write(path, ["smiles", "y"], pairs)
    found = read_measured(path, "y")
    assert dict(zip(found.smiles, found.values.tolist())) == {"CCO": 1.0, "C": 0.0}
    assert found.notes == (
        "molecules left out whose lines disagree: 1",
        "lines put together that repeat a molecule: 3",
    )


def test_structures_and_their_properties_are_read(tmp_path):
    chem = rdkit()
    with chem.SDWriter(str(tmp_path / "a.sdf")) as writer:
        for text, value in (("CCO", "1.5"), ("CCN", "2.5")):
            mol = chem.MolFromSmiles(text)
            mol.SetProp("pIC50", value)
            writer.write(mol)
    with gzip.open(tmp_path / "a.sdf.gz", "wb") as stream:
        stream.write((tmp_path / "a.sdf").read_bytes())
    found = read_measured(tmp_path / "a.sdf.gz", "pIC50")
    assert (found.smiles, found.values.tolist()) == (["CCO", "CCN"], [1.5, 2.5])


REFUSED = [
    (["m.csv"], "name the column to predict with --target (columns: name, logP)"),
    (["m.csv", "--target", "logp"], "m.csv has no column 'logp': did you mean logP?"),
    (
        ["m.csv", "--target", "logP", "--column", "smile"],
        "no column 'smile': did you mean smiles?",
    ),
    (["m.csv", "--target", "name"], "'name' holds neither numbers nor two classes (such as 'x')"),
    (["m.csv", "--target", "logP", "--positive", "9"], "'logP' holds no '9'"),
    (["nowhere.csv", "--target", "y"], "no file or folder nowhere.csv"),
    ([".", "--target", "y"], " is a folder: name the file of molecules in it"),
    (["empty.csv", "--target", "y"], "empty.csv is empty: it needs one molecule at least"),
    (["empty.smi", "--target", "y"], "empty.smi is empty: it needs one molecule at least"),
    (["list.smi", "--target", "y"], "list.smi has no column 'y': it holds SMILES alone"),
    (["two.csv", "--target", "y"], "'y' holds blue and red: say with --positive which of them"),
    (["few.csv", "--target", "y"], "2 molecules with a value of 'y': a model needs 20 or more"),
    (["latin.csv", "--target", "y"], "latin.csv is not UTF-8 (byte 14): save it as UTF-8"),
    (["p.pdf", "--target", "y"], "p.pdf is no file of molecules: give .smi"),
    (["cut.csv.gz", "--target", "y"], "cut.csv.gz cannot be read"),
    (["m.csv", "--target", "logP", "--out", "full"], "full is not empty: name another folder"),
    (["m.csv", "--predict", "m.csv"], "m.csv holds no QSAR model: make one with"),
]


@pytest.mark.parametrize(("words", "line"), REFUSED, ids=[" ".join(one[0]) for one in REFUSED])
def test_what_qsar_refuses_is_one_line(measured, words, line):
    Path("empty.csv").write_text("smiles,y\n")
    Path("empty.smi").write_text("\n# nothing\n")
    Path("list.smi").write_text("CCO\n")
    Path("few.csv").write_text("smiles,y\nCCO,1.5\nCCN,2\n")
    Path("two.csv").write_text("smiles,y\nCCO,red\nCCN,blue\nC,red\n")
    Path("latin.csv").write_bytes(b"smiles,y\nCCO,\xe4\n"[:13] + b"1\xe4\n")
    Path("p.pdf").write_text("")
    Path("cut.csv.gz").write_bytes(gzip.compress(b"smiles,y\nCCO,1\n" * 99)[:30])
    Path("full").mkdir()
    Path("full/a").touch()
    before = contents(Path())
    ended = call("qsar", *words, "--quiet")
    assert ended.status == 2 and ended.err.count("\n") == 1 and line in ended.err, ended.err
    assert contents(Path()) == before


def test_esol_that_is_not_here_says_where_it_belongs(monkeypatch):
    monkeypatch.delenv("ZEROSUM_DATA", raising=False)
    ended = call("qsar", "esol", "--target", "y")
    assert ended.status == 2
    assert "esol is not here: place delaney-processed.csv.gz in" in ended.err


@pytest.fixture
def no_vina(monkeypatch, tmp_path):
    """Docking whose workers answer a score of minus the length, and refuse nitrogen."""
    from zerosum.chem.programs import Worker

    (tmp_path / "fake_docker.py").write_text(
        "import json\nfrom rdkit import Chem\nprint('ready', flush=True)\n"
        "import sys\nfor line in sys.stdin:\n"
        "    if 'N' in line: print(json.dumps({'reason': 'no 3-D shape'}), flush=True); continue\n"
        "    block = Chem.MolToMolBlock(Chem.MolFromSmiles(line))\n"
        "    print(json.dumps({'score': -len(line.strip()), 'pose': block}), flush=True)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(docking, "NEEDED", ())
    monkeypatch.setattr(docking, "Worker", lambda _, words: Worker("fake_docker", words))
    Path("own").mkdir()
    Path("own/receptor.pdbqt").write_text(
        "ATOM      1  C   GLY A   1       0.000   0.000   0.000  1.00  0.00     0.000 C \n"
    )
    ends = (("center", 0), ("size", 20))
    keys = [f"{kind}_{axis} = {value}\n" for kind, value in ends for axis in "xyz"]
    Path("own/box.txt").write_text("".join(keys))


def test_a_list_is_docked_and_the_same_command_goes_on(no_vina):
    Path("a.smi").write_text("CCO\nCCCCC\nOCC again\nhello\nCCN\n" + "C" * 60 + "\n")
    words = ["dock", "a.smi", "--target", "own", "--poses", "best.sdf", "--quiet"]
    told = done(*words)
    assert told == (
        "    -5.00 kcal/mol  CCCCC\n    -3.00 kcal/mol  CCO\n"
        "3 of 6 lines have a score (4 docked now, 0 known from before)\n"
        "3 without: 1 not a SMILES, 1 no 3-D shape, 1 more than 50 heavy atoms\n"
        "written to docked.csv, poses to best.sdf\n"
    )
    found = rows("docked.csv")
    assert [row["docking"] for row in found] == ["-3", "-5", "-3", "", "", ""]
    assert found[0]["efficiency"] == "-1" and found[0]["heavy_atoms"] == "3"
    assert [row["reason"] for row in found][3:] == [
        "not a SMILES",
        "no 3-D shape",
        "more than 50 heavy atoms",
    ]
    poses = list(rdkit().SDMolSupplier("best.sdf"))
    assert [mol.GetProp("_Name") for mol in poses] == ["CCCCC", "CCO"]
    np.testing.assert_allclose([mol.GetDoubleProp("docking") for mol in poses], [-5, -3])
    before = contents(Path())
    again = done(*words)
    assert "(1 docked now, 3 known from before)" in again  # the cap is tried anew
    assert {k: v for k, v in contents(Path()).items() if "cache" not in k} == {
        k: v for k, v in before.items() if "cache" not in k
    }


DOCK_REFUSED = [
    (["a.smi"], "name the protein with --target, such as --target CA2"),
    (["a.smi", "--target", "./nowhere"], "no folder ./nowhere: a target of your own is a folder"),
    (["a.sni", "--target", "own"], "no file or folder a.sni: did you mean a.smi"),
    (["bad.smi", "--target", "own"], "bad.smi holds no molecule: its first line is 'hello'"),
    (["a.smi", "--target", "own", "--poses", "a.pdb"], "poses are written as .sdf"),
    (["a.smi", "--target", "own", "--out", "own"], "own is a folder: name a file with --out"),
    (["a.smi", "--target", "own", "--cache", "a.smi"], "cannot keep scores in a.smi"),
]


@pytest.mark.parametrize(
    ("words", "line"), DOCK_REFUSED, ids=[" ".join(one[0]) for one in DOCK_REFUSED]
)
def test_what_dock_refuses_is_one_line(no_vina, words, line):
    Path("a.smi").write_text("CCO\n")
    Path("bad.smi").write_text("hello\n")
    ended = call("dock", *words, "--quiet")
    assert ended.status == 2 and ended.err.count("\n") == 1 and line in ended.err, ended.err
    assert not Path("docked.csv").exists()


@pytest.mark.skipif(not CAN_DOCK, reason="vina, meeko, gemmi or dockstring is missing")
def test_a_target_that_is_not_there_names_the_nearest():
    Path("a.smi").write_text("CCO\n")
    ended = call("dock", "a.smi", "--target", "CA3", "--quiet")
    assert (
        ended.status == 2
        and "there is no target 'CA3': did you mean CASP3, CA2? (or name" in ended.err
    )


def test_docking_without_its_extra_is_one_line(monkeypatch):
    monkeypatch.setattr(docking, "NEEDED", ("no_such_vina",))
    Path("a.smi").write_text("CCO\n")
    ended = call("dock", "a.smi", "--target", "CA2", "--quiet")
    assert ended.status == 2
    assert ended.err.endswith("docking needs no_such_vina: type pip install 'zerosum[docking]'\n")
