"""A design that is stopped anywhere comes to the table of one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zerosum.chem.scorers import Scorer
from zerosum.pipelines.design import design, loop, plan, search
from zerosum.pipelines.design.records import DesignFolder
from zerosum.pipelines.generate import Generator
from zerosum.training import trainer


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.fixture(scope="module")
def undisturbed(pretrained, tmp_path_factory):
    """The folder of a design that was never stopped."""
    patch = pytest.MonkeyPatch()
    patch.setattr("zerosum.pipelines.design.sampling.BLOCK", 64)
    patch.setattr("zerosum.pipelines.design.sampling.JUDGED", 128)
    terms = {"score": "qed,sa", "calls": 10, "examples": 64, "top": "50%", "pool": 5}
    out = tmp_path_factory.mktemp("undisturbed") / "d"
    wanted = plan(None, start=str(pretrained), **terms)
    how = {"cycles": 2, "baselines": False, "device": "cpu", "workers": 1, "quiet": True}
    design(wanted, out, **how)
    patch.undo()
    return out


def _nth(call, number):
    """The same function, which dies when it is called so often."""
    calls = iter(range(1, 10_000))

    def dying(*args, **named):
        if next(calls) == number:
            raise Killed
        return call(*args, **named)

    return dying


KILLS = (
    (loop, "copy_run", 2),  # the run is there, what is kept of cycle 0 is not
    (Generator, "draw", 2),
    (Scorer, "table", 1),
    (DesignFolder, "write_scored", 1),
    (trainer, "play_step", 2),  # cycle 1
    (Generator, "draw", 1),
    (Scorer, "table", 1),
    (DesignFolder, "write_scored", 1),
    (trainer, "play_step", 4),  # cycle 2
    (search, "write_molecules", 1),
)
"""Where a design is killed: what is called, and the call of it that does not come back."""


def test_killed_in_every_phase_it_comes_to_the_same(begin, undisturbed, tmp_path):
    for place, name, number in KILLS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(place, name, _nth(getattr(place, name), number))
            with pytest.raises(Killed):
                begin(tmp_path)
        assert not (tmp_path / "molecules.csv").exists(), name
    begin(tmp_path)
    for name in ("molecules.csv", "summary.json"):
        assert (tmp_path / name).read_bytes() == (undisturbed / name).read_bytes(), name


def test_killed_after_a_checkpoint_in_the_middle_of_a_leg(begin, undisturbed, tmp_path):
    """The elite that a leg began with is a part of its checkpoints."""
    changes = {"changes": {"train.checkpoint_every": 32}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "play_step", _nth(trainer.play_step, 8))
        with pytest.raises(Killed):
            begin(tmp_path, **changes)
    assert (tmp_path / "run" / "checkpoints" / "step_00000036").is_dir()
    begin(tmp_path, **changes)
    for name in ("molecules.csv", "cycles/002/sampled.json"):
        assert (tmp_path / name).read_bytes() == (undisturbed / name).read_bytes(), name


@pytest.mark.slow
def test_sigkill_while_a_program_scores(pretrained, tmp_path):
    """The real thing, with a slow part whose numbers are kept."""
    program = tmp_path / "slow.py"
    program.write_text(
        "import sys, time\n"
        "for line in sys.stdin:\n"
        "    time.sleep(0.2)\n"
        "    print(len(line) / 99, flush=True)\n"
    )
    score = f'qed,command:"{sys.executable} {program}"'

    def words(out: Path) -> list[str]:
        how = ["--calls", "40", "--examples", "64", "--cycles", "1", "--no-baselines", "--quiet"]
        begin = ["--from", str(pretrained), "--score", score, "--workers", "1"]
        return [sys.executable, "-m", "zerosum", "design", *begin, *how, "--out", str(out)]

    subprocess.run(words(tmp_path / "whole"), check=True, capture_output=True)
    stopped = subprocess.Popen(words(tmp_path / "d"), stderr=subprocess.DEVNULL)
    began = time.monotonic()
    while not (tmp_path / "d" / "cycles" / "000" / "sampled.json").is_file():
        assert stopped.poll() is None and time.monotonic() - began < 120
        time.sleep(0.05)
    time.sleep(1.0)
    os.kill(stopped.pid, signal.SIGKILL)
    stopped.wait()
    assert not (tmp_path / "d" / "cycles" / "000" / "scored.json").exists()
    subprocess.run(words(tmp_path / "d"), check=True, capture_output=True)
    tables = [(tmp_path / name / "molecules.csv").read_bytes() for name in ("whole", "d")]
    assert tables[0] == tables[1]
