"""A stranger's kind of data, found by entry point, goes through every command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

OUTSIDE = Path(__file__).parent / "outside"
SOURCES = Path(__file__).parents[2] / "src" / "zerosum"


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """Run a command in one folder, with the outside package on the path."""
    folder = tmp_path_factory.mktemp("stranger")
    lines = [f"{number % 8:03b}" * 2 for number in range(400)]
    (folder / "strings.bits").write_text("\n".join(lines) + "\n")
    known = {**os.environ, "PYTHONPATH": str(OUTSIDE), "OMP_NUM_THREADS": "1"}

    def run(*words, status=0):
        command = [sys.executable, "-m", "zerosum", *map(str, words)]
        ended = subprocess.run(
            command, cwd=folder, env=known, capture_output=True, text=True, timeout=120
        )
        assert ended.returncode == status, ended.stderr
        return ended

    run.folder = folder
    return run


@pytest.fixture(scope="module")
def trained(call):
    """A run of 640 strings, stopped at its end and gone on with to 1,280."""
    words = ("train", "stranger/tiny", "--data", "strings.bits", "--out", "run", "--quiet")
    call(*words, "evaluate.samples=64")
    call(*words, "evaluate.samples=64", "train.examples=1280")
    return call.folder / "run"


def test_it_is_found_inspected_and_checked(call):
    assert "stranger" in call("list").stdout
    seen = call("inspect", "strings.bits").stdout
    assert "360" in seen and "length        6" in seen
    assert "next: zerosum train stranger --data strings.bits" in seen
    assert "stranger keeps the contract" in call("check", "stranger").stdout


def test_a_path_that_only_it_reads_needs_no_system(call):
    shown = call("train", "--data", "strings.bits", "--dry-run").stdout
    assert '"kind": "stranger"' in shown and '"system": "stranger"' in shown


def test_it_is_trained_and_gone_on_with(trained):
    seen = [json.loads(line)["seen"] for line in (trained / "scores.jsonl").open()]
    assert seen == [640, 1_280]
    assert json.loads((trained / "codec.json").read_text())["state"] == {"length": 6}
    assert {"report.html", "samples.png", "curves.png"} <= {p.name for p in trained.iterdir()}


@pytest.mark.slow
def test_its_samples_are_its_own_files(trained, call):
    call("generate", "run", "-n", 5, "--out", "drawn.txt")
    call("export", "run", "--to", "model")
    strings = (call.folder / "drawn.txt").read_text().split()
    assert len(strings) == 5 and all(len(s) == 6 and not set(s) - {"0", "1"} for s in strings)
    (call.folder / "strings.bits").rename(call.folder / "away.bits")
    try:
        call("generate", "model", "-n", 5, "--out", "shipped.txt")
    finally:
        (call.folder / "away.bits").rename(call.folder / "strings.bits")
    assert (call.folder / "shipped.txt").read_text().split() == strings
    refused = call("generate", "run", "--out", "drawn.png", status=2).stderr
    assert "drawn.png is of no known kind: these samples are written to .txt" in refused


@pytest.mark.slow
def test_it_is_scored_examined_and_reported(trained, call):
    scored = call("evaluate", "run", "--samples", 40, "--quiet").stdout
    assert "fd-bits" in scored and "coverage-bits" in scored
    assert "critic_auc" in call("doctor", "run").stdout
    call("report", "run", "--samples", 40, "--quiet")
    assert "fd-bits" in (trained / "report.html").read_text()


def test_no_source_of_the_package_knows_it():
    assert not [p for p in SOURCES.rglob("*.py") if "stranger" in p.read_text(encoding="utf-8")]
