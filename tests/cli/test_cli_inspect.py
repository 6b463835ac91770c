"""`zerosum inspect`, `zerosum new` and `zerosum check`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cli_command import call, contents, done, write_photos


@pytest.fixture
def messy(tmp_path):
    """Two classes, a duplicate and a file that is no picture."""
    folder = tmp_path / "photos"
    write_photos(folder / "cats", [(40, 40)] * 6)
    write_photos(folder / "dogs", [(48, 40)] * 4, first=100)
    shutil.copy(folder / "cats" / "000.png", folder / "cats" / "copy.png")
    (folder / "dogs" / "broken.jpg").write_bytes(b"no picture")
    return folder


def test_inspect_tells_what_is_there_and_what_is_wrong(messy):
    before = contents(messy)
    out = done("inspect", messy)
    rows = {
        line.split()[0]: " ".join(line.split()[1:])
        for line in out.splitlines()
        if line.startswith("  ") and line.split()[0] != "WARNING"
    }
    assert rows["images"].startswith("12 ")
    assert rows["sizes"] == "40x40: 7, 48x40: 4"
    assert rows["classes"] == "cats: 7, dogs: 5"
    assert rows["duplicates"] == "1: cats/000.png = cats/copy.png"
    assert rows["unreadable"].startswith("1: dogs/broken.jpg (")
    assert "1 of 12 pictures cannot be read" in out
    assert out.splitlines()[-1].startswith("next: zerosum train --data ")
    assert contents(messy) == before


def test_inspect_as_json_says_the_same(messy):
    report = json.loads(done("inspect", messy, "--json"))
    assert report["count"] == 12 and report["sizes"] == {"40x40": 7, "48x40": 4}
    assert report["classes"] == {"cats": 7, "dogs": 5}
    assert report["duplicates"] == [["cats/000.png", "cats/copy.png"]]
    assert list(report["unreadable"]) == ["dogs/broken.jpg"]
    assert report["channels"] == 3


def test_a_new_model_passes_the_check_and_trains_as_it_stands():
    out = done("new", "mygan")
    file = Path("mygan.py")
    assert len(file.read_text().splitlines()) < 120
    assert "zerosum check mygan" in out and "zerosum train --module mygan.py" in out
    assert "mygan keeps the contract" in done("check", "mygan")
    done("train", "--module", file, "--dry-run")
    few = ("train.examples=64", "evaluate.samples=0", "--quiet")
    out = done("train", "--module", file, "mygan/tiny", *few, "--out", "run")
    assert "generate run -n 64 --seed 0 --out samples.png --module mygan.py" in out
    done("generate", "run", "-n", 2, "--module", file, "--out", "two.npz")
    refusal = call("generate", "run")
    assert refusal.status == 2 and "--module mygan.py" in refusal.err


def test_a_check_that_fails_says_which_rule_and_ends_with_status_1():
    done("new", "lazygan")
    file = Path("lazygan.py")
    text = file.read_text()
    turn = '            Turn("generator", self.generator_loss),\n'
    assert turn in text
    file.write_text(text.replace(turn, ""))
    ended = call("check", "lazygan.py")
    assert ended.status == 1
    assert "FAIL  each turn gives gradients" in ended.out
    assert "no turn gives a gradient to generator" in ended.out
    assert ended.out.count("FAIL") == 1
