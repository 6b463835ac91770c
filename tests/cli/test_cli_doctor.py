"""`zerosum doctor RUN` on real runs."""

from __future__ import annotations

import json
import sys

import pytest

from zerosum.cli.main import main

STILL = ["dcgan/tiny", "optim.generator.lr=1e-9", "train.examples=960", "doctor.every=64"]


@pytest.fixture
def call(monkeypatch, capsys):
    def called(*words):
        monkeypatch.setattr(sys, "argv", ["zerosum", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code or 0, *capsys.readouterr())

    return called


def test_a_sick_run_is_named_while_it_trains_and_after(call, tmp_path, monkeypatch):
    monkeypatch.setattr("zerosum.doctor.doctor.SHARE", 1e9)
    status, _, err = call("train", *STILL, "--out", tmp_path / "run")
    assert status == 0 and "doctor at 192 images: dead run: a step moves" in err
    assert "try  optim.generator.lr=0.0002" in err
    file = tmp_path / "all.json"
    status, out, err = call("doctor", tmp_path / "run", "--json", file)
    assert status == 0, err
    assert "at 192 examples  dead run" in out and "> 3e-07" in out
    tree = json.loads(file.read_text())
    assert tree["events"][0]["failure"] == "dead run" and tree["signals"]["variety"] > 0
    assert len(tree["checkups"]) == 15 and tree["eigenvalues"] is None


def test_stop_ends_with_one_line(call, tmp_path, monkeypatch):
    words = ["--out", tmp_path / "run", "--quiet"]
    status, _, err = call("train", *STILL, "doctor.policy=stop", *words)
    assert status == 2 and err.count("\n") == 1
    assert "stopped, the state is saved: dead run" in err


def test_an_unwatched_run_can_be_looked_at_deeply(call, tmp_path):
    small = ["toy/tiny", "model.hidden=[8]", "doctor.policy=off", "train.examples=2560"]
    call("train", *small, "--out", tmp_path / "run", "--quiet")
    status, out, err = call("doctor", tmp_path / "run", "--deep")
    assert status == 0, err
    assert "it was not watched" in out
    assert "eigenvalues of the game" in out and "duality gap" in out


def test_what_is_no_run_is_refused(call, tmp_path):
    status, _, err = call("doctor", tmp_path)
    assert status == 2 and "is no run" in err and err.count("\n") == 1
