"""Programs that score: those that work, hang, print rubbish, too few lines, or die."""

from __future__ import annotations

import os
import sys
import time

import numpy as np
import pytest

from zerosum.chem.command import Command
from zerosum.chem.measure import LATE
from zerosum.errors import UserError

LENGTHS = "import sys\nfor line in sys.stdin: print(len(line.strip()))\n"


@pytest.fixture
def program(tmp_path):
    """Makes a part of a Python program's text; all of one test share kept scores."""
    made = []

    def make(text, timeout=20.0, name="p.py", **options):
        (tmp_path / name).write_text(text)
        command = f"{sys.executable} {tmp_path / name}"
        made.append(Command(command, tmp_path / "scores", timeout, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def numbers(part, smiles):
    found = part.values(smiles)
    return [found[text].number for text in smiles]


def test_numbers_come_in_the_order_of_the_molecules(program):
    part = program(LENGTHS, workers=2)
    many = ["C" * length for length in range(1, 151)]  # more than two starts
    assert numbers(part, many) == list(range(1, 151))
    assert (part.counts.calls, part.counts.cached, part.counts.failed) == (150, 0, 0)


def test_what_was_asked_once_is_kept_on_disk(program, tmp_path):
    log = tmp_path / "log"
    text = f"import sys\nfor l in sys.stdin: print(1); open({str(log)!r}, 'a').write(l)\n"
    assert numbers(program(text), ["CC", "CO"]) == [1, 1]
    second = program(text)
    assert numbers(second, ["CO", "CN", "CC"]) == [1, 1, 1]
    assert log.read_text() == "CC\nCO\nCN\n"
    assert (second.counts.calls, second.counts.cached) == (1, 2)


def test_a_program_that_changed_is_asked_anew(program):
    assert numbers(program(LENGTHS), ["CC"]) == [2]
    assert numbers(program(LENGTHS.replace("len(", "10 * len(")), ["CC"]) == [20]


def test_no_number_for_a_molecule_is_a_gap_and_is_kept(program):
    text = "import sys\nfor l in sys.stdin: print('' if 'N' in l else 'nan' if 'O' in l else 3)\n"
    part = program(text)
    np.testing.assert_array_equal(numbers(part, ["CC", "CN", "CO"]), [3, np.nan, np.nan])
    assert part.counts.reasons == {"the program has no number for it": 2}
    again = program(text)
    again.values(["CN"])
    assert again.counts.cached == 1


def test_rubbish_for_one_molecule_costs_that_one_alone(program):
    text = (
        "import sys\nfor l in sys.stdin: print('wat' if 'N' in l else 'inf' if 'O' in l else 3)\n"
    )
    part = program(text)
    np.testing.assert_array_equal(numbers(part, ["CC", "CN", "CO"]), [3, np.nan, np.nan])
    assert part.counts.reasons == {"'wat' is no number": 1, "'inf' is no finite number": 1}


def test_dying_on_one_molecule_costs_that_one_alone(program):
    text = "import sys\nfor l in sys.stdin:\n  assert 'N' not in l, 'no N'\n  print(3)\n"
    part = program(text)
    np.testing.assert_array_equal(numbers(part, ["CC", "CN", "CO"]), [3, np.nan, 3])
    assert part.counts.reasons == {"it ended with status 1: AssertionError: no N": 1}


def test_hanging_on_one_molecule_costs_that_one_alone(program):
    wait = "  if 'N' in line: __import__('time').sleep(60)\n"
    text = f"import sys\nfor line in sys.stdin:\n{wait}  print(len(line) - 1)\n"
    part = program(text, timeout=1.0)
    np.testing.assert_array_equal(numbers(part, ["CC", "CN", "COC"]), [2, np.nan, 3])
    assert part.counts.reasons == {LATE: 1}
    assert (part.counts.calls, part.counts.failed, part.counts.timed_out) == (3, 1, 1)


def test_too_few_lines_are_not_matched_to_the_wrong_molecules(program):
    """A program that leaves lines out in silence would shift all that follow."""
    text = "import sys\nfor l in sys.stdin:\n  if 'N' not in l: print(len(l) - 1)\n"
    part = program(text)
    np.testing.assert_array_equal(numbers(part, ["CC", "CN", "COC"]), [2, np.nan, 3])
    assert part.counts.reasons == {"0 lines for 1 molecules": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import sys; sys.exit('no licence')", "it ended with status 1: no licence"),
        ("import sys\nfor l in sys.stdin: print('wat')", "'wat' is no number"),
        ("print(1); print(2); print(3)", "3 lines for 1 molecules"),
        ("pass", "0 lines for 1 molecules"),
        ("import time; time.sleep(60)", LATE),
        ("while True: print('y' * 1000)", "it prints without an end"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "it ended with status -11"),
    ],
)
def test_a_program_that_never_works_is_one_line(program, text, reason):
    part = program(text, timeout=0.5 if "sleep" in text else 20.0)
    with pytest.raises(UserError) as told:
        part.values(["C", "CC"])
    told = str(told.value)
    assert told.endswith(f" gives no number: {reason}; mend the program, or leave it out")


def test_a_program_that_breaks_on_the_way_is_one_line_and_nothing_is_lost(program, tmp_path):
    mark = tmp_path / "broken"
    text = f"import os, sys\nif os.path.exists({str(mark)!r}): sys.exit('gone')\n{LENGTHS}"
    part = program(text)
    assert numbers(part, ["C", "CC"]) == [1, 2]
    mark.touch()
    with pytest.raises(UserError, match="it ended with status 1: gone"):
        part.values(["C" * length for length in range(1, 20)])
    mark.unlink()
    mended = program(text)
    assert numbers(mended, ["C", "CC", "CCC"]) == [1, 2, 3]
    assert mended.counts.cached == 2


def test_no_such_program(tmp_path):
    part = Command("no-such-program -x", tmp_path)
    with pytest.raises(UserError) as told:
        part.values(["C"])
    assert str(told.value) == (
        "cannot start the program 'no-such-program' (No such file or directory): "
        "name one that is there"
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  ", "command: names no program: write command:'python score.py'"),
        ("p 'x", "command:p 'x cannot be read (No closing quotation): close the quote"),
    ],
)
def test_a_command_that_is_none(tmp_path, text, line):
    with pytest.raises(UserError) as told:
        Command(text, tmp_path)
    assert str(told.value) == line


def test_what_a_hanging_program_started_is_ended_with_it(program, tmp_path):
    pid = tmp_path / "pid"
    text = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pid)!r}, 'w').write(str(child.pid))\nchild.wait()\n"
    )
    with pytest.raises(UserError, match=LATE):
        program(text, timeout=2.0).values(["C"])
    number = int(pid.read_text())
    for _ in range(100):
        try:
            with open(f"/proc/{number}/stat") as stat:
                if stat.read().split()[2] == "Z":  # over, and not yet collected by its parent
                    return
        except OSError:
            return
        time.sleep(0.05)
    os.kill(number, 9)
    raise AssertionError("it went on")
