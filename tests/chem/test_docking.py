"""Targets and boxes, workers that hang or die, and docking itself where vina is installed."""

from __future__ import annotations

import importlib.util
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from zerosum.chem import docking
from zerosum.chem.docking import Docking, heavy_atoms, must_be_installed
from zerosum.chem.measure import LATE, Value
from zerosum.chem.molecules import rdkit
from zerosum.chem.programs import Worker, Workers
from zerosum.chem.scorers import scorer
from zerosum.chem.targets import find_target, read_box, target_names
from zerosum.errors import UserError

BOX = (
    "center_x = -5.8\ncenter_y=1\n center_z = 16.803\n\nsize_x = 30.0\nsize_y = 20\nsize_z = 10\n"
)
ATOM = "ATOM      1  C   GLY A   1      -5.000   1.000  17.000  1.00  0.00     0.000 C \n"
CAN_DOCK = all(importlib.util.find_spec(name) for name in (*docking.NEEDED, "dockstring"))
docks = pytest.mark.skipif(not CAN_DOCK, reason="vina, meeko, gemmi or dockstring is missing")


@pytest.fixture
def own(tmp_path):
    """A target of one's own, whose receptor is a single atom."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "receptor.pdbqt").write_text(ATOM)
    (folder / "box.txt").write_text(BOX)
    return folder


def test_a_box_is_read_in_ångström(own):
    assert read_box(own / "box.txt") == ((-5.8, 1.0, 16.803), (30.0, 20.0, 10.0))
    (own / "box.txt").rename(own / "conf.txt")
    found = find_target(str(own))
    assert (found.center, found.size) == ((-5.8, 1.0, 16.803), (30.0, 20.0, 10.0))
    assert found.receptor == own / "receptor.pdbqt"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("size_z = 10", "", "has no line 'size_z = ...': it needs center_x, center_y, center_z, "),
        ("size_z = 10", "size_z = wide", ": size_z is 'wide', which is no number"),
        ("size_z = 10", "size_z = 0", ": size_z is 0: give 0 to 126 ångström"),
        ("size_z = 10", "size_z = 1e9", ": size_z is 1e+09: give 0 to 126 ångström"),
        ("center_y=1", "center_y=nan", ": center_y is nan: give a finite number"),
    ],
)
def test_a_wrong_box_names_the_line(own, old, new, line):
    (own / "box.txt").write_text(BOX.replace(old, new))
    with pytest.raises(UserError) as told:
        find_target(str(own))
    assert str(told.value).startswith(f"{own / 'box.txt'}") and line in str(told.value)


def test_a_folder_without_its_files(own, tmp_path):
    (own / "box.txt").unlink()
    with pytest.raises(UserError, match=r"holds no box\.txt: write center_x"):
        find_target(str(own))
    (own / "receptor.pdbqt").unlink()
    with pytest.raises(UserError, match=r"holds no receptor\.pdbqt: put the prepared receptor"):
        find_target(str(own))
    with pytest.raises(UserError, match=r"no folder .*nowhere: a target of your own is a folder"):
        find_target(str(tmp_path / "nowhere"))


def test_a_void_is_not_docked_into(own):
    (own / "receptor.pdbqt").write_text(ATOM.replace("-5.000", "40.000"))
    with pytest.raises(UserError, match=r"no atom of .*pdbqt lies in the box of .*mend its cent"):
        find_target(str(own))
    (own / "receptor.pdbqt").write_text("REMARK nothing\n")
    with pytest.raises(UserError, match="holds no atom: prepare the receptor"):
        find_target(str(own))
    (own / "receptor.pdbqt").write_text(ATOM.replace("-5.000", "-5,000"))
    with pytest.raises(UserError, match=r"cannot be read .*prepare it anew"):
        find_target(str(own))


@pytest.fixture
def listed(tmp_path):
    """A folder as dockstring keeps its targets."""
    for name in ("CA2", "DRD2", "EGFR"):
        (tmp_path / f"{name}_target.pdbqt").write_text("REMARK nothing\n")
        (tmp_path / f"{name}_conf.txt").write_text(BOX)
    return tmp_path


def test_targets_are_listed_and_a_wrong_name_tells_the_nearest(listed):
    assert target_names(listed) == ["CA2", "DRD2", "EGFR"]
    assert find_target("DRD2", listed).receptor == listed / "DRD2_target.pdbqt"
    with pytest.raises(UserError) as told:
        find_target("drd3", listed)
    assert str(told.value) == (
        "there is no target 'drd3': did you mean DRD2? (or name a folder with receptor.pdbqt)"
    )
    with pytest.raises(UserError, match="there is no target 'zzz': there are 3, such as CA2"):
        find_target("zzz", listed)


def test_a_folder_of_results_does_not_hide_a_target(listed, monkeypatch):
    (listed / "here" / "CA2").mkdir(parents=True)
    monkeypatch.chdir(listed / "here")
    assert find_target("CA2", listed).receptor == listed / "CA2_target.pdbqt"
    (listed / "here/CA2/receptor.pdbqt").write_text(ATOM)
    (listed / "here/CA2/box.txt").write_text(BOX)
    assert find_target("CA2", listed).receptor == Path("CA2/receptor.pdbqt")


def test_another_receptor_or_box_is_another_target(own):
    first = find_target(str(own)).mark
    (own / "box.txt").write_text(BOX.replace("30.0", "29.0"))
    second = find_target(str(own)).mark
    (own / "receptor.pdbqt").write_text("REMARK another\n" + ATOM)
    assert len({first, second, find_target(str(own)).mark}) == 3


def test_without_its_libraries_one_line_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(docking, "NEEDED", ("no_such_vina", "rdkit"))
    with pytest.raises(UserError) as told:
        must_be_installed()
    assert str(told.value) == ("docking needs no_such_vina: type  pip install 'zerosum[docking]'")
    monkeypatch.setattr(docking, "NEEDED", ("vina",))
    monkeypatch.setattr(docking.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(docking.sys, "version_info", (3, 13))
    with pytest.raises(UserError, match="vina has no wheel for later ones"):
        must_be_installed()


def test_without_dockstring_one_line_says_how_to_get_its_targets(monkeypatch):
    monkeypatch.setattr("zerosum.chem.targets.dockstring_folder", lambda: None)
    with pytest.raises(UserError, match="type  pip install --no-deps dockstring"):
        find_target("CA2")


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module for workers: it answers with the length, sleeps on `z`, dies on `d`."""
    (tmp_path / "answers.py").write_text(
        "import os, sys, time\n"
        "if 'bad' in sys.argv: sys.exit('no such target')\n"
        "print('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    if 'z' in line: time.sleep(60)\n"
        "    if 'd' in line: os._exit(7)\n"
        "    print(os.getpid(), len(line.strip()), flush=True)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "answers"


def test_workers_go_on_after_one_hangs_or_dies(module):
    workers = Workers(lambda: Worker(module, []), 1)
    lines = ["a", "aa", "z", "aaa", "d", "aaaa"]
    try:
        found = {line: (answer, late) for line, answer, late in workers.answers(lines, 2.0)}
    finally:
        workers.close()
    assert found["z"] == (None, True) and found["d"] == (None, False)
    told = {line: answer.split() for line, (answer, _) in found.items() if answer}
    assert {line: int(length) for line, (_, length) in told.items()} == {
        "a": 1,
        "aa": 2,
        "aaa": 3,
        "aaaa": 4,
    }
    assert told["a"][0] == told["aa"][0]  # one worker while it lives
    assert len({pid for pid, _ in told.values()}) == 3


def test_a_worker_that_does_not_start_says_why(module):
    with pytest.raises(UserError) as told:
        Worker(module, ["bad"]).wait()
    assert str(told.value) == "no such target"


def test_a_stop_does_not_wait_for_workers_that_begin(tmp_path, monkeypatch):
    (tmp_path / "slow.py").write_text("import time; time.sleep(60)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    workers = Workers(lambda: Worker("slow", []), 1)
    begun = time.monotonic()
    threading.Timer(1.0, workers.close).start()
    with pytest.raises(UserError, match="it ended with -9"):
        list(workers.answers(["a"], 60.0))
    assert time.monotonic() - begun < 20


@pytest.fixture
def no_vina(own, settings, module, monkeypatch):
    """Docking whose workers are not vina's."""
    monkeypatch.setattr(docking, "NEEDED", ())
    script = (
        "import json, os, sys\nprint('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    if 'S' in line: os._exit(1)\n"
        "    told = {'reason': 'no 3-D shape'} if 'N' in line else {'score': -4.0, 'pose': 'p'}\n"
        "    print(json.dumps(told), flush=True)\n"
    )
    (own.parent / "fake.py").write_text(script)
    monkeypatch.setattr(docking, "Worker", lambda _, arguments: Worker("fake", arguments))
    made = Docking(str(own), settings.folder, atoms=5)
    yield made
    made.close()


def test_what_cannot_be_docked_has_no_score_and_says_why(no_vina):
    found = no_vina.values(["CCO", "CCN", "CCCCCC", "CS"])
    reasons = {text: value.reason for text, value in found.items()}
    assert reasons == {
        "CCO": "",
        "CCN": "no 3-D shape",
        "CCCCCC": "more than 5 heavy atoms",
        "CS": "the worker died",
    }
    assert found["CCO"] == Value(-4.0, "", "p")
    assert (no_vina.counts.calls, no_vina.counts.failed) == (4, 3)


def test_workers_that_always_die_end_docking_in_one_line(no_vina):
    with pytest.raises(UserError, match="10 workers in a row died; the last was docking"):
        no_vina.values([f"{'C' * length}S" for length in range(1, 5)] * 1 + _sulphurs())


def _sulphurs():
    return ["OS", "CSC", "OSC", "CSO", "OSO", "FSC", "FSF", "OSF"]


def test_efficiency_is_the_score_per_heavy_atom_of_the_same_docking(no_vina, own, settings):
    no_vina.values(["CCO", "CCCC"])
    per_atom = Docking(str(own), settings.folder, per_atom=True)
    found = per_atom.values(["CCO", "CCCC"])
    per_atom.close()
    assert (found["CCO"].number, found["CCCC"].number) == (-4 / 3, -1.0)
    assert (per_atom.counts.calls, per_atom.counts.cached) == (0, 2)


@docks
def test_a_receptor_that_vina_refuses_is_one_line(own, settings):
    (own / "receptor.pdbqt").write_text(ATOM.replace(" C \n", " Xx\n"))
    with (
        scorer(f"docking:{own}", settings) as score,
        pytest.raises(UserError, match="docking does not start: "),
    ):
        score(["CCO"])


@pytest.fixture
def zinc(tmp_path):
    """Carbonic anhydrase with a small box around its zinc, whose maps are made in a second."""
    folder = tmp_path / "zinc"
    folder.mkdir()
    protein = find_target("CA2").receptor.read_text()
    (folder / "receptor.pdbqt").write_text(protein)
    (folder / "box.txt").write_text(
        "".join(f"center_{a} = {c}\nsize_{a} = 14\n" for a, c in zip("xyz", (-5.8, 1.1, 16.8)))
    )
    return folder


@docks
def test_all_of_dockstrings_targets_are_found():
    names = target_names()
    assert len(names) == 58 and {"CA2", "DRD2", "EGFR", "BACE1"} <= set(names)
    assert {find_target(name).size for name in names} == {(30.0, 30.0, 30.0), (30.0, 30.0, 32.0)}


@docks
def test_real_docking_is_reproducible_and_kept(settings, zinc):
    """Acetamide in carbonic anhydrase; a worker's earlier dockings change nothing."""
    name, per_atom = f"docking:{zinc}", f"efficiency:{zinc}"
    with scorer(f"{name},{per_atom}", settings) as score:
        found = score.table(["CC(N)=O", "CCO"])
        counts = score.counts[name]
    assert (counts.calls, counts.failed) == (2, 0)
    value = found.values[name]
    # Vina's free energy of so small a ligand is a few kcal/mol below zero.
    assert -4.5 < value[0] < -2.0
    np.testing.assert_allclose(found.values[per_atom], value / [4, 3], rtol=1e-12)
    shares = np.stack([value / -12, value / [4, 3] / -1])
    np.testing.assert_allclose(found.score, np.sqrt(shares.prod(0)), rtol=1e-12)
    pose = rdkit().MolFromMolBlock(found.extras[name][0])
    assert rdkit().MolToSmiles(pose) == "CC(N)=O" and pose.GetConformer().Is3D()
    off = np.abs(pose.GetConformer().GetPositions() - [-5.8, 1.1, 16.8])
    assert off.max() <= 7.0  # the box has sides of 14

    with scorer(name, replace(settings, folder=settings.folder / "new")) as score:
        again = score.table(["CCO", "CC(N)=O"])
    np.testing.assert_array_equal(again.values[name], value[::-1])
    assert again.extras[name][1] == found.extras[name][0]


@docks
def test_what_takes_too_long_is_counted(settings, zinc):
    with scorer(f"docking:{zinc}", replace(settings, timeout=0.01)) as score:
        assert np.isnan(score(["c1ccc(cc1)CCc1ccccc1"])).all()
        counts = score.counts[f"docking:{zinc}"]
    assert (counts.timed_out, counts.reasons) == (1, {LATE: 1})


@docks
def test_what_cannot_be_prepared_says_why():
    from zerosum.chem.docker import embedded

    assert embedded("CC.O", 0) == "in pieces: leave salts and solvents out"
    first, second = (embedded("CCO", 3).GetConformer().GetPositions() for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert heavy_atoms("CCO") == 3
