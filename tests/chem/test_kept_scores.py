"""Scores on disk: kept, shared by processes, and complaints that name the file."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from zerosum.chem.measure import Counts, Measure, Store, Value, score_folder
from zerosum.errors import UserError


class Lengths(Measure):
    """The length of a SMILES; `bad` is no molecule of this part, `late` a fault of it."""

    def __init__(self, folder):
        super().__init__("lengths", 0, 10, Store(folder, "lengths", "v1"))
        self.asked = []

    def _measure(self, smiles, keep):
        for text in smiles:
            self.asked.append(text)
            if text == "bad":
                keep({text: Value(reason="bad")})
            elif text == "late":
                keep({text: Value(reason="slow", fault=True)})
            else:
                keep({text: Value(float(len(text)), extra=f"<{text}>")})


def test_values_reasons_and_extras_come_back(tmp_path):
    first = Lengths(tmp_path)
    told = first.values(["CC", "bad", "C", "CC"])
    assert first.asked == ["CC", "bad", "C"]
    second = Lengths(tmp_path)
    again = second.values(["C", "bad", "CC"])
    assert second.asked == []
    assert again["CC"] == told["CC"] == Value(2.0, "", "<CC>")
    assert math.isnan(again["bad"].number) and again["bad"].reason == "bad"
    assert (first.counts.calls, first.counts.failed, second.counts.cached) == (3, 1, 3)


def test_a_fault_lasts_as_long_as_the_process(tmp_path):
    first = Lengths(tmp_path)
    first.values(["late", "C"])
    first.values(["late", "C"])
    assert first.asked == ["late", "C"]
    second = Lengths(tmp_path)
    second.values(["late", "C"])
    assert second.asked == ["late"]


def test_what_was_measured_before_a_stop_is_kept(tmp_path):
    class Stops(Lengths):
        def _measure(self, smiles, keep):
            super()._measure(smiles[:2], keep)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Stops(tmp_path).values(["C", "CC", "CCC"])
    rest = Lengths(tmp_path)
    assert rest.values(["C", "CC", "CCC"])["CCC"].number == 3
    assert rest.asked == ["CCC"]


def test_progress_counts_what_is_known_too(tmp_path):
    Lengths(tmp_path).values(["C"])
    seen = []
    Lengths(tmp_path).values(["C", "CC", "CCC", "CC"], lambda *told: seen.append(told))
    assert seen == [(2, 3), (3, 3)]


def test_other_settings_are_another_file(tmp_path):
    assert Store(tmp_path, "a b", "1").path != Store(tmp_path, "a b", "2").path
    assert Store(tmp_path, "docking ../x:y", "1").path.name.startswith("docking-x-y-")


def test_two_processes_write_to_one_file(tmp_path):
    """Each keeps 40 values one by one at the same time; none is lost."""
    text = (
        "import sys; from pathlib import Path; from zerosum.chem.measure import Store, Value\n"
        "store = Store(Path(sys.argv[1]), 'both', 'same')\n"
        "for n in range(40): store.write({f'{sys.argv[2]}{n}': Value(float(n))})\n"
    )
    words = [sys.executable, "-c", text, str(tmp_path)]
    both = [subprocess.Popen([*words, name]) for name in "ab"]
    assert [one.wait(60) for one in both] == [0, 0]
    keys = [f"{name}{n}" for name in "ab" for n in range(40)]
    found = Store(tmp_path, "both", "same").read(keys)
    assert {key: value.number for key, value in found.items()} == {
        key: float(key[1:]) for key in keys
    }


def test_more_molecules_than_one_question_takes(tmp_path):
    store = Store(tmp_path, "many", "")
    store.write({str(n): Value(float(n)) for n in range(2100)})
    found = store.read([str(n) for n in range(3000)])
    assert len(found) == 2100 and found["2099"].number == 2099.0


def test_a_file_that_holds_no_scores_is_named(tmp_path):
    path = Store(tmp_path, "a", "").path
    path.write_bytes(b"no data base" * 100)
    with pytest.raises(UserError) as told:
        Store(tmp_path, "a", "")
    line = f"{path} holds no scores (file is not a database): take it away"
    assert str(told.value) == line


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "scores").write_text("")
    with pytest.raises(UserError, match=r"cannot keep scores in .*name another folder of scores"):
        Store(tmp_path / "scores", "a", "")


def test_the_place_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("ZEROSUM_CACHE", str(tmp_path))
    assert score_folder() == tmp_path / "scores"


def test_counts_tell_failures_apart():
    counts = Counts()
    for value in (Value(1.0), Value(reason="no answer in time", fault=True), Value(reason="x")):
        counts.note(value)
    assert (counts.calls, counts.failed, counts.timed_out) == (3, 2, 1)
    assert counts.reasons == {"no answer in time": 1, "x": 1}
